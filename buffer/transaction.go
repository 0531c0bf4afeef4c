package buffer

import (
	"slices"
	"time"
)

// A txn is one commit: what is written and what changes in RAM once it is durable. It is built and
// applied with Store.mu held; its methods named build and settle need that.
type txn struct {
	n        counters   // as they will be
	segments []*segment // become stored
	private  []*segment // those of them that jobs made
	acks     []ackUpdate
	marks    []mark // of all streams
	removed  []removal
	kept     int // of them, those that were pending before this transaction
	open     map[lossKey]Loss
	deleted  []int64 // acknowledged losses
	evicted  []evicted
	added    []added
	refused  []*item
	dead     []DeadLetter
	deadJobs []*deadJob
	reserved uint64           // positions from here on are for dead letters that are retried
	skipped  [classCount]bool // the class's front found no room
	unstored []*segment       // of it
	expire   bool             // expired segments are to be removed
	clean    bool
	oldest   time.Duration // when the oldest record was appended; < 0: none
	soon     map[kvKey]*[]byte
}

// An evicted segment was removed by a limit, or others took its place.
type evicted struct {
	class   class
	seg     *segment // nil if it was not resident
	records int64    // unacknowledged
}

// An added segment is only on the disk.
type added struct {
	class    class
	id, last uint64 // positions of its first and last record
	records  int64
	seg      *segment // of one that took the place of others
}

// build takes a snapshot of everything that is pending, for write to store. Each step cites the row
// of the table in doc.go (under "Durability") whose third column it
// prepares. The rows that need the database are left to write: eviction, thinning, and the rest of
// RetryDead and DropDead.
func (c *committer) build(t *txn, jobs []*job, appends []pendingAppend, rounds *[]*round) {
	s := c.s
	now := s.o.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	*rounds = append(*rounds, s.round) // who appends from now on waits for the next commit
	s.round = newRound()
	s.buildFrontLocked(t, appends, now)
	s.buildProgressLocked(t)
	s.buildDeadLocked(t, jobs)
	refused := make(map[*item]bool)
	t.buildRefusals(jobs, refused)
	s.buildAcksLocked(t, refused)
	s.buildLossesLocked(t, jobs, now)
	t.n.Next = s.next // after everything that takes a position
}

// buildFrontLocked seals the front and adds its segments, and those of what the updates append.
//
// Rows "Append" and "Update": "segment", "records appended by it".
func (s *Store) buildFrontLocked(t *txn, appends []pendingAppend, now time.Duration) {
	for i := range s.shelves {
		s.sealLocked(&s.shelves[i])
	}
	for _, a := range appends {
		st := s.streamLocked(a.kind, a.stream)
		st.last++
		s.putLocked(st, a.up, a.body, now, true)
	}
	for i := range s.shelves {
		for _, seg := range s.shelves[i].unstored() {
			// the updates' records are in segments of their own, behind the sealed ones
			if !seg.sealed {
				seg.sealed, seg.private = true, true
				t.private = append(t.private, seg)
			}
			if seg.left > 0 {
				seg.writing = true
				t.segments = append(t.segments, seg)
			}
		}
	}
	for _, seg := range t.segments {
		if at := seg.items[0].at; t.oldest < 0 || at < t.oldest {
			t.oldest = at
		}
	}
}

// buildProgressLocked adds the last number of every stream, those in RAM included: the front
// becomes durable with it. It also takes over the request to remove what is expired.
//
// Row "Append": "progress"; row "eviction" by the request.
func (s *Store) buildProgressLocked(t *txn) {
	t.marks, t.n.Boot = s.marksLocked(), uint64(s.boot)
	t.expire, s.expire = s.expire, false
}

// buildDeadLocked adds the jobs that take dead letters out of their table, and reserves positions
// behind the front for those that are sent again.
//
// Rows "RetryDead" and "DropDead": write deletes the rows and stores the segments.
func (s *Store) buildDeadLocked(t *txn, jobs []*job) {
	for _, j := range jobs {
		if j.dead == nil {
			continue
		}
		t.deadJobs = append(t.deadJobs, j.dead)
		if t.reserved == 0 && j.dead.retry {
			t.reserved = s.next
			s.next += uint64(t.n.Dead)
		}
	}
}

// buildRefusals adds the dead letters of the records that are refused, each once, and notes their
// items in refused.
//
// Row "Refuse": "dead letter"; buildAcksLocked adds its bits and buildLossesLocked its ledger
// entry.
func (t *txn) buildRefusals(jobs []*job, refused map[*item]bool) {
	for _, j := range jobs {
		for _, r := range j.refuse {
			if r.item != nil && r.item.state == taken && !refused[r.item] {
				refused[r.item] = true
				t.refused = append(t.refused, r.item)
				t.dead = append(t.dead, DeadLetter{int64(r.item.pos), r, j.reason})
			}
		}
	}
}

// buildAcksLocked adds the acknowledgements of the segments in RAM that have new ones.
//
// Rows "Ack" and "expiry": "row deleted, or bits of its ack row"; row "Refuse": "bits".
func (s *Store) buildAcksLocked(t *txn, refused map[*item]bool) {
	touched := make(map[*segment]bool)
	for it := range refused {
		touched[it.segment] = true
	}
	for i := range s.shelves {
		for _, seg := range s.shelves[i].segments {
			if seg.dirty || touched[seg] {
				t.acks = append(t.acks, snapshotAcks(seg, refused))
			}
		}
	}
}

// buildLossesLocked adds what goes into the ledger and what leaves it. The first t.kept removals
// were pending: undo gives these back.
//
// Rows "ErrFull", "expiry", "unrouted", "Refuse" and, of what gave way in RAM, "eviction":
// "ledger"; row "AckLosses": "row deleted".
func (s *Store) buildLossesLocked(t *txn, jobs []*job, now time.Duration) {
	s.enterUnroutedLocked(slices.ContainsFunc(jobs, func(j *job) bool { return j.flush }), now)
	t.removed, s.removed = s.removed, nil
	t.kept = len(t.removed)
	t.removed = t.removed[:t.kept:t.kept]
	var refusals []removal
	for _, it := range t.refused {
		refusals = merge(refusals, it.segment.removal(it, reasonRefused))
	}
	t.removed = append(t.removed, refusals...)
	t.deleted = append(t.deleted, s.losses.acked...)
}

// sealLocked fixes the segments of the front: what was acknowledged is left out.
func (s *Store) sealLocked(sh *shelf) {
	s.compactLocked(sh)
	for _, seg := range sh.unstored() {
		if seg.sealed {
			continue
		}
		if seg.left < len(seg.items) {
			seg.prune()
		}
		seg.id, seg.sealed = seg.items[0].pos, true
	}
}

// settle ends the part of segments in a transaction whose outcome is known. Those that are on no
// disk can be acknowledged as if it had never been.
func (t *txn) settle() {
	for _, list := range [][]*segment{t.segments, t.unstored} {
		for _, seg := range list {
			seg.settle()
		}
	}
	for _, e := range t.evicted {
		if e.seg != nil {
			e.seg.settle()
		}
	}
}

func (seg *segment) settle() {
	seg.writing = false
	if !seg.stored && seg.left < len(seg.items) {
		seg.unseal()
	}
}
