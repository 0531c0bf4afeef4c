package buffer

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
)

// A run is one start of the program. It is constant, and the segments of one run share it.
type run struct {
	id      string // 12 hexadecimal digits
	gateway string // Options.Gateway; empty: not known any more
	kernel  string // Options.KernelBoot; empty: not known any more
}

// newRun makes the run of this start. Its identity is random and not a counter in the file, because
// the file may be a copy or older than the past: numbers that were used once are never used again.
func newRun(o Options) *run {
	var b [6]byte
	rand.Read(b[:])
	return &run{id: hex.EncodeToString(b[:]), gateway: o.Gateway, kernel: o.KernelBoot}
}

// beginRun stores the row of this run, after the schema if that is missing, in one transaction, and
// with it the event that reports how the run before ended. Without such an event the marks stay
// those of that run until this one commits something: where it ends before that, the next one still
// learns of it.
func (c *committer) beginRun(version int64) error {
	s := c.s
	if err := c.db.begin(); err != nil {
		return err
	}
	if version == 0 {
		if err := c.create(); err != nil {
			return err
		}
	}
	last, err := c.db.loadProgress()
	if err != nil {
		return err
	}
	if err := c.identify(); err != nil {
		return err
	}
	prev, err := c.previous(last)
	if err != nil {
		return err
	}
	newest, err := c.db.number(`SELECT max(boot) FROM run`)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.prev, s.boot = prev, uint32(newest)+1
	s.mu.Unlock()
	if err := c.insertRun(); err != nil {
		return err
	}
	if err := c.forgetRuns(); err != nil {
		return err
	}
	t := &txn{n: last.counters, marks: last.marks}
	if err := c.insertFirst(t); err != nil {
		return err
	}
	if err := c.writeProgress(t); err != nil {
		return err
	}
	if err := c.db.commit(); err != nil {
		return err
	}
	return c.resume(t.n, t.marks)
}

// insertFirst stores the event of Options.First. It has the same number however often that is
// tried. The marks are this run's from then on.
func (c *committer) insertFirst(t *txn) error {
	s := c.s
	if s.o.First == nil {
		return nil
	}
	stream, body := s.o.First(s.prev, s.id, s.boot)
	if err := s.check(Events, stream, body); err != nil {
		return err
	}
	if c.first == 0 {
		s.mu.Lock()
		st := s.streamLocked(Events, stream)
		st.last++
		c.first = st.last
		s.mu.Unlock()
	}
	seg := &segment{class: eventClass, run: s.run, id: t.n.Next, sealed: true}
	seg.items = []*item{{segment: seg, pos: seg.id, seq: c.first, up: s.o.Up(), stream: stream, body: body}}
	c.codec.encode(seg)
	t.n.Next++
	t.n.Boot, t.marks = uint64(s.boot), []mark{{Events, stream, c.first}}
	return c.insert(t, seg, 1)
}

// resume sets the state in RAM after the run was committed. It reads nothing but the counters: what
// is stored is loaded when it is taken. What was taken in before a late Open gets positions behind
// it.
func (c *committer) resume(n counters, marks []mark) error {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c.n, c.marks, c.begun = n, marks, true
	s.next += n.Next
	waiting := n.Losses
	for i := range s.shelves {
		sh := &s.shelves[i]
		for _, seg := range sh.segments {
			seg.unseal()
			seg.id += n.Next
			for _, it := range seg.items {
				it.pos += n.Next
			}
		}
		sh.depth += n.Records[i]
		sh.liveFrom += n.Next
		sh.gapLo, sh.gapHi = 0, n.Next
		waiting += sh.depth
	}
	s.losses = lossState{rows: n.Losses, open: make(map[lossKey]Loss), taken: make(map[int64]bool)}
	s.stats.Dead, s.stats.EventBytes = n.Dead, n.Bytes[eventClass]
	if waiting > 0 {
		s.wakeTaker()
	}
	return nil
}

// maxRuns is how many rows of runs without records are kept at least, and how many runs are
// remembered.
const (
	maxRuns  = 1000
	knowRuns = 64
)

// insertRun stores the row of this run.
func (c *committer) insertRun() error {
	s := c.s
	return c.db.exec(`INSERT OR REPLACE INTO run(boot, run, store, gateway, kernel, clean) VALUES(?,?,?,?,?,0)`,
		s.boot, s.run.id, s.id, s.run.gateway, s.run.kernel)
}

// run returns what is known of a run.
func (c *committer) run(id string) (*run, error) {
	if id == c.s.run.id {
		return c.s.run, nil
	}
	if r := c.runs[id]; r != nil {
		return r, nil
	}
	r := &run{id: id}
	err := c.db.query(`SELECT gateway, kernel FROM run WHERE run=?`, func(v []driver.Value) bool {
		r.gateway, _ = v[0].(string)
		r.kernel, _ = v[1].(string)
		return false
	}, id)
	if err != nil {
		return nil, err
	}
	if len(c.runs) >= knowRuns {
		clear(c.runs)
	}
	c.runs[id] = r
	return r, nil
}

// previous reads how the last run ended that committed anything.
func (c *committer) previous(last progress) (p Previous, err error) {
	err = c.db.query(`SELECT boot, run, store, gateway, clean FROM run WHERE boot=?`, func(v []driver.Value) bool {
		boot, _ := v[0].(int64)
		clean, _ := v[4].(int64)
		p.Exists, p.Boot, p.Clean = true, uint32(boot), clean != 0
		p.Run, _ = v[1].(string)
		p.Store, _ = v[2].(string)
		p.Gateway, _ = v[3].(string)
		return false
	}, last.Boot)
	if err != nil || !p.Exists {
		return p, err
	}
	p.Last, p.LastEvents = make(map[string]uint64), make(map[string]uint64)
	for _, m := range last.marks {
		if m.kind == Readings {
			p.Last[m.stream] = m.seq
		} else {
			p.LastEvents[m.stream] = m.seq
		}
	}
	return p, nil
}

// forgetRuns bounds the list of runs: it keeps the newest and all that have records, as far as the
// oldest of each class says.
func (c *committer) forgetRuns() error {
	oldest := int64(c.s.boot) - maxRuns
	if oldest <= 0 {
		return nil
	}
	for _, table := range append([]string{"dead"}, tables[:]...) {
		boot, err := c.db.number(`SELECT boot FROM run WHERE run=(SELECT run FROM ` + table + ` ORDER BY id LIMIT 1)`)
		if err != nil {
			return err
		}
		if boot > 0 {
			oldest = min(oldest, boot)
		}
	}
	return c.db.exec(`DELETE FROM run WHERE boot<?`, oldest)
}

// Runs returns the identities (Store.Run) of the runs of this store during one kernel boot, oldest
// first, including this one if kernelBoot is Options.KernelBoot. Of runs without records
// the store keeps the last 1000.
func (s *Store) Runs(ctx context.Context, kernelBoot string) (runs []string, err error) {
	err = s.submit(ctx, &job{read: func(c *committer) error {
		return c.db.query(`SELECT run FROM run WHERE kernel=? ORDER BY boot`, func(v []driver.Value) bool {
			id, _ := v[0].(string)
			runs = append(runs, id)
			return true
		}, kernelBoot)
	}})
	return runs, err
}
