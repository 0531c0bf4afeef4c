package buffer

import (
	"context"
	"database/sql/driver"
	"time"
)

// Reasons of a Loss.
const (
	reasonEvicted  = "evicted"  // a limit removed it
	reasonRejected = "rejected" // Append returned ErrFull, or its Update was not durable
	reasonRefused  = "refused"  // Refuse; the records are dead letters
	reasonCorrupt  = "corrupt"  // it could not be read
	reasonExpired  = "expired"  // older than its stream's TTL
	reasonThinned  = "thinned"  // a bucket stands for it
	reasonUnrouted = "unrouted" // AckUnrouted: it was delivered, and nobody had subscribed
)

// A Loss is an entry of the ledger: a range of records of one stream that were removed unsent, or
// that were delivered although nobody had subscribed. It becomes durable in the transaction that
// removes the records; that of unrouted records at most 5 minutes after AckUnrouted.
type Loss struct {
	ID     int64 // identifies the entry in this store
	Kind   Kind
	Run    string // of the records; empty if it is not known
	Stream string // empty if it is not known: a segment could not be read
	First  uint64 // the lowest Record.Seq
	Last   uint64 // the highest

	// Count is how many of the records from First to Last were lost; the others were delivered or
	// are in another Loss. Zero means that it is not known.
	Count uint64

	// Reason is "evicted" (a limit removed them), "rejected" (Append returned ErrFull, or their
	// Update did not become durable), "refused" (Refuse; they are dead letters), "corrupt" (they
	// could not be read), "expired" (older than the TTL), "thinned" (a bucket stands for them) or
	// "unrouted" (AckUnrouted).
	Reason string
}

// A removal is a Loss that is not in the ledger yet.
type removal struct {
	key         lossKey
	first, last uint64
	count       uint64
}

// Removals with the same key may become one entry.
type lossKey struct {
	kind   Kind
	run    string
	stream string
	reason string
}

const (
	// maxRemovals is the number of ranges above which ranges with something between them are merged
	// as well.
	maxRemovals = 256

	// maxLosses is the same for the stored ledger.
	maxLosses = 4096

	// maxOpen is the number of entries that may still grow.
	maxOpen = 256
)

// lossState is what the committer keeps of the ledger in RAM. Store.mu guards it.
type lossState struct {
	rows  int64            // stored
	open  map[lossKey]Loss // stored entries that a removal may extend
	taken map[int64]bool   // by TakeLosses
	acked []int64          // to be deleted with the next commit
}

// merge adds r to the list. It extends an entry if that loses nothing, or if the list is long.
func merge(list []removal, r removal) []removal {
	for i := len(list) - 1; i >= 0; i-- {
		if e := &list[i]; e.key == r.key && (r.first == e.last+1 || len(list) >= maxRemovals) {
			e.first, e.last, e.count = min(e.first, r.first), max(e.last, r.last), e.count+r.count
			return list
		}
	}
	return append(list, r)
}

// loseLocked notes that records were removed.
func (s *Store) loseLocked(r removal, now time.Duration) {
	if len(s.removed) == 0 {
		s.lossAt = now
	}
	s.removed = merge(s.removed, r)
}

// loseItemLocked removes a resident record.
func (s *Store) loseItemLocked(seg *segment, it *item, reason string, now time.Duration) {
	r := seg.removal(it, reason)
	s.loseLocked(r, now)
	s.countLossLocked(reason, r.count)
	s.finishLocked(it, now)
}

// removal returns the entry of the ledger for one of the items.
func (seg *segment) removal(it *item, reason string) removal {
	return removal{lossKey{seg.class.kind(), seg.run.id, it.stream, reason}, it.seq, it.last(), uint64(it.span) + 1}
}

// countLossLocked adds to the statistics of a reason.
func (s *Store) countLossLocked(reason string, n uint64) {
	switch reason {
	case reasonEvicted:
		s.stats.Evicted += n
	case reasonExpired:
		s.stats.Expired += n
	case reasonThinned:
		s.stats.Thinned += n
	case reasonCorrupt:
		s.stats.Corrupt += n
	}
}

// TakeLosses takes up to max entries of the ledger, oldest first, for AckLosses or ReleaseLosses.
// Until it is taken, an entry may grow: later losses extend its range. TakeLosses returns nil if
// there is none, while HoldLosses(true) is in force, and if the storage fails.
func (s *Store) TakeLosses(max int) []Loss {
	var out []Loss
	s.mu.Lock()
	available, held := s.losses.rows-int64(len(s.losses.taken))-int64(len(s.losses.acked)), s.muted
	s.mu.Unlock()
	if held || available <= 0 || max < 1 {
		return nil
	}
	err := s.submit(context.Background(), &job{read: func(c *committer) (err error) {
		out, err = c.takeLosses(max)
		return err
	}})
	if err != nil {
		return nil
	}
	return out
}

func (c *committer) takeLosses(max int) ([]Loss, error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	skip := make(map[int64]bool, len(s.losses.acked))
	for _, id := range s.losses.acked {
		skip[id] = true
	}
	var out []Loss
	err := c.db.query(`SELECT id, `+lossColumns+` FROM loss ORDER BY id LIMIT ?`,
		func(v []driver.Value) bool {
			if l := scanLoss(v); !skip[l.ID] && !s.losses.taken[l.ID] {
				out = append(out, l)
			}
			return len(out) < max
		}, max+len(s.losses.taken)+len(skip))
	if err != nil {
		return nil, err
	}
	for _, l := range out {
		s.losses.taken[l.ID] = true
		if key := l.key(); s.losses.open[key].ID == l.ID {
			delete(s.losses.open, key)
		}
	}
	return out, nil
}

func (l Loss) key() lossKey { return lossKey{l.Kind, l.Run, l.Stream, l.Reason} }

// lossColumns are those of the table besides the id, as scanLoss reads them.
const lossColumns = `lane, run, stream, first, last, n, reason`

func scanLoss(v []driver.Value) (l Loss) {
	n := func(i int) int64 { n, _ := v[i].(int64); return n }
	t := func(i int) string { t, _ := v[i].(string); return t }
	return Loss{ID: n(0), Kind: Kind(n(1)), Run: t(2), Stream: t(3),
		First: uint64(n(4)), Last: uint64(n(5)), Count: uint64(n(6)), Reason: t(7)}
}

// AckLosses removes taken entries, which the receiver has, from the ledger with the next commit,
// after 5 seconds at most. After a power cut before it they are taken again.
func (s *Store) AckLosses(l []Loss) {
	now := s.o.Up()
	s.mu.Lock()
	for _, e := range l {
		if s.losses.taken[e.ID] {
			if s.dirty == 0 && len(s.losses.acked) == 0 {
				s.dirtyAt = now
			}
			delete(s.losses.taken, e.ID)
			s.losses.acked = append(s.losses.acked, e.ID)
		}
	}
	s.mu.Unlock()
	s.wakeCommitter()
}

// ReleaseLosses gives back taken entries that the receiver does not have; they are taken again.
func (s *Store) ReleaseLosses(l []Loss) {
	s.mu.Lock()
	for _, e := range l {
		delete(s.losses.taken, e.ID)
	}
	s.mu.Unlock()
	s.wakeTaker()
}

// Refuse moves taken records to the dead letters, because the receiver does not accept them, and
// enters them in the ledger; both are durable when nil is returned. reason is DeadLetter.Reason.
// After an error the records are still taken: refuse or release them; but if ctx ended, the store
// may yet move them.
func (s *Store) Refuse(ctx context.Context, r []Record, reason string) error {
	return s.submit(ctx, &job{refuse: r, reason: reason})
}

// writeLosses stores removals in a transaction and notes in t what will hold after it.
func (c *committer) writeLosses(t *txn, open map[lossKey]Loss) error {
	for _, r := range t.removed {
		e, ok := t.open[r.key]
		if !ok {
			e, ok = open[r.key]
		}
		if ok && (r.first == e.Last+1 || t.n.Losses >= maxLosses) {
			e.First, e.Last, e.Count = min(e.First, r.first), max(e.Last, r.last), e.Count+r.count
			if err := c.db.exec(`UPDATE loss SET first=?, last=?, n=? WHERE id=?`, e.First, e.Last, e.Count, e.ID); err != nil {
				return err
			}
		} else {
			t.n.NextLoss++
			t.n.Losses++
			e = Loss{ID: t.n.NextLoss, Kind: r.key.kind, Run: r.key.run, Stream: r.key.stream,
				First: r.first, Last: r.last, Count: r.count, Reason: r.key.reason}
			if err := c.db.exec(`INSERT INTO loss(id, `+lossColumns+`) VALUES(?,?,?,?,?,?,?,?)`,
				e.ID, int(e.Kind), e.Run, e.Stream, e.First, e.Last, e.Count, e.Reason); err != nil {
				return err
			}
		}
		t.open[r.key] = e
	}
	return nil
}
