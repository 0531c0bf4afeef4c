package buffer

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// A DeadLetter is a record that the receiver refused (Refuse), kept until RetryDead or DropDead.
// All together may use a 64th of MaxBytes; beyond that the oldest are removed and get a second
// Loss, with the Reason "evicted".
type DeadLetter struct {
	ID     int64 // identifies it in this store; rises with Record.Pos
	Record Record
	Reason string // as given to Refuse
}

// DeadLetters returns up to max dead letters with an ID above after, in the order of their IDs.
func (s *Store) DeadLetters(ctx context.Context, after int64, max int) (list []DeadLetter, err error) {
	err = s.submit(ctx, &job{read: func(c *committer) (err error) {
		list, err = c.deadLetters(after, max)
		return err
	}})
	return list, err
}

// RetryDead puts the dead letters with these IDs back into the queue. They are delivered again as
// the readings or events that they were, with the same run, stream and number, behind the backlog;
// what is live at that time becomes backlog. It returns how many of them existed; without an error
// the change is durable.
func (s *Store) RetryDead(ctx context.Context, ids ...int64) (int, error) {
	return s.forDead(ctx, &deadJob{ids: ids, retry: true})
}

// RetryAllDead is RetryDead for all dead letters.
func (s *Store) RetryAllDead(ctx context.Context) (int, error) {
	return s.forDead(ctx, &deadJob{all: true, retry: true})
}

// DropDead removes the dead letters with these IDs. The ledger has had them since they were
// refused. It returns how many of them existed; without an error the change is durable.
func (s *Store) DropDead(ctx context.Context, ids ...int64) (int, error) {
	return s.forDead(ctx, &deadJob{ids: ids})
}

// DropAllDead is DropDead for all dead letters.
func (s *Store) DropAllDead(ctx context.Context) (int, error) {
	return s.forDead(ctx, &deadJob{all: true})
}

func (s *Store) forDead(ctx context.Context, d *deadJob) (int, error) {
	j := &job{dead: d}
	err := s.submit(ctx, j)
	if err != nil {
		return 0, err
	}
	return j.dead.count, nil
}

// A deadJob takes dead letters out of their table.
type deadJob struct {
	all   bool
	ids   []int64 // if all is not set
	retry bool
	count int
}

func (c *committer) deadLetters(after int64, max int) (list []DeadLetter, err error) {
	err = c.db.query(`SELECT id, `+deadColumns+` FROM dead WHERE id>? ORDER BY id LIMIT ?`,
		func(v []driver.Value) bool {
			id, _ := v[0].(int64)
			list = append(list, scanDead(id, v[1:]))
			return true
		}, after, max)
	for i := range list {
		r := &list[i].Record
		of, e := c.run(r.Run)
		if e != nil {
			return list, errors.Join(err, e)
		}
		r.Gateway, r.Kernel = of.gateway, of.kernel
	}
	return list, err
}

// deadColumns are those of the table besides the id, as scanDead reads them.
const deadColumns = `lane, run, stream, seq, up, reason, body, seq_to, up_to`

func scanDead(id int64, v []driver.Value) DeadLetter {
	n := func(i int) int64 { n, _ := v[i].(int64); return n }
	d := DeadLetter{ID: id, Record: Record{Kind: Kind(n(0)), Seq: uint64(n(3)), Up: time.Duration(n(4)),
		SeqTo: uint64(n(7)), UpTo: time.Duration(n(8))}}
	d.Record.Run, _ = v[1].(string)
	d.Record.Stream, _ = v[2].(string)
	d.Reason, _ = v[5].(string)
	d.Record.Body, _ = v[6].([]byte)
	return d
}

// writeDead stores what was refused; beyond its share of the store the oldest dead letters give
// way.
func (c *committer) writeDead(t *txn) error {
	for _, d := range t.dead {
		r := d.Record
		err := c.db.exec(`INSERT OR REPLACE INTO dead(id, `+deadColumns+`) VALUES(?,?,?,?,?,?,?,?,?,?)`,
			d.ID, int(r.Kind), r.Run, r.Stream, r.Seq, int64(r.Up), d.Reason, r.Body, r.SeqTo, int64(r.UpTo))
		if err != nil {
			return err
		}
		t.n.Dead++
		t.n.DeadSize += int64(len(r.Body)) + itemOverhead
	}
	for t.n.Dead > 1 && t.n.DeadSize > c.s.o.MaxBytes/64 {
		oldest, err := c.deadLetters(0, 1)
		if err != nil || len(oldest) == 0 {
			return err
		}
		if err := c.removeDead(t, oldest[0]); err != nil {
			return err
		}
		r := oldest[0].Record
		last := max(r.Seq, r.SeqTo)
		t.removed = append(t.removed, removal{lossKey{r.Kind, r.Run, r.Stream, reasonEvicted}, r.Seq, last, last - r.Seq + 1})
	}
	return nil
}

func (c *committer) removeDead(t *txn, d DeadLetter) error {
	t.n.Dead--
	t.n.DeadSize -= int64(len(d.Record.Body)) + itemOverhead
	return c.db.exec(`DELETE FROM dead WHERE id=?`, d.ID)
}

// takeDead executes the jobs that want dead letters out of their table.
func (c *committer) takeDead(t *txn) error {
	for _, j := range t.deadJobs {
		j.count = 0
		if j.all {
			for more := true; more; {
				list, err := c.deadLetters(0, 16)
				if err != nil {
					return err
				}
				for _, d := range list {
					if err := c.takeOneDead(t, j, d); err != nil {
						return err
					}
				}
				more = len(list) > 0
			}
		}
		for _, id := range j.ids {
			list, err := c.deadLetters(id-1, 1)
			if err != nil {
				return err
			}
			if len(list) == 1 && list[0].ID == id {
				if err := c.takeOneDead(t, j, list[0]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *committer) takeOneDead(t *txn, j *deadJob, d DeadLetter) error {
	j.count++
	if err := c.removeDead(t, d); err != nil || !j.retry {
		return err
	}
	r := d.Record
	of, err := c.run(r.Run)
	if err != nil {
		return err
	}
	seg := &segment{class: c.s.classOf(r.Kind, r.Stream), run: of, id: t.reserved, sealed: true}
	t.reserved++
	it := &item{segment: seg, pos: seg.id, seq: r.Seq, up: r.Up, stream: r.Stream, body: r.Body}
	if r.SeqTo > r.Seq {
		it.span, it.upTo = uint32(r.SeqTo-r.Seq), r.UpTo
	}
	seg.items = []*item{it}
	c.codec.encode(seg)
	t.added = append(t.added, added{class: seg.class, id: seg.id, last: seg.id, records: 1})
	return c.insert(t, seg, 1)
}
