package buffer

import (
	"context"
	"time"
)

// Take takes records as TakePins does and returns them; nil if there is nothing to take.
func (s *Store) Take(lane Lane, max, maxBytes int) []Record {
	var out []Record
	for _, pin := range s.TakePins(nil, lane, max, maxBytes) {
		out = append(out, pin.Record())
	}
	return out
}

// TakePins takes up to max records and about maxBytes of bodies from a lane, but at least one
// record if there is any: oldest first within a priority, higher priorities first. It skips what
// Hold names. The records are then in flight: no limit removes them, and no other Take
// returns them, before Ack, AckUnrouted, Refuse or Release. What is not in RAM is read from the
// file; while that fails, nothing of it is taken. The pins are appended to dst[:0].
func (s *Store) TakePins(dst []Pin, lane Lane, max, maxBytes int) []Pin {
	s.learnPowerUps()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := dst[:0]
	if lane == EventLane {
		out, _ = s.takeClassLocked(eventClass, lane, out, max, maxBytes)
		return out
	}
	for c := highClass; ; c-- {
		var enough bool
		if out, enough = s.takeClassLocked(c, lane, out, max, maxBytes); enough || c == lowClass {
			return out
		}
	}
}

// takeClassLocked appends records of one class to out and reports whether that reached a bound: the
// records after them come from this class again. It releases s.mu while it reads from the disk.
func (s *Store) takeClassLocked(c class, lane Lane, out []Pin, max, maxBytes int) ([]Pin, bool) {
	sh := &s.shelves[c]
	enough, taken := false, len(out)
	if len(sh.segments) == 0 && !sh.gap() {
		return out, false
	}
	expired := s.stats.Expired
	for loads := 0; ; loads++ {
		if out, enough = s.takeResidentLocked(sh, lane, out, max, maxBytes); enough || lane == LiveLane || !sh.gap() || s.closing {
			break
		}
		if enough = loads >= maxLoads || s.degraded != nil && s.tooDirtyLocked(); enough {
			if s.degraded == nil {
				s.wakeTaker() // only what is expired or held was read so far
			}
			break
		}
		s.mu.Unlock()
		err := s.submit(context.Background(), &job{read: func(co *committer) error { return co.load(c) }})
		s.mu.Lock()
		if enough = err != nil; enough {
			break
		}
	}
	if s.stats.Expired > expired {
		s.wakeCommitter()
	}
	if len(out) > taken && lane != LiveLane && sh.gap() && s.aheadLocked(sh) < 2 {
		s.prefetchLocked(c)
	}
	return out, enough
}

// aheadLocked counts the loaded segments that wait in front of the gap.
func (s *Store) aheadLocked(sh *shelf) int {
	n := 0
	for _, seg := range sh.segments[:sh.find(sh.gapLo)] {
		if seg.waiting > 0 && !seg.passedOver() {
			n++
		}
	}
	return n
}

// takeResidentLocked appends what is in RAM to out and reports whether that reached a bound.
func (s *Store) takeResidentLocked(sh *shelf, lane Lane, out []Pin, max, maxBytes int) ([]Pin, bool) {
	bytes := 0
	for i := range out {
		bytes += out[i].Len()
	}
	var now time.Duration
	if len(s.ttl) > 0 { // asking costs as much as all the rest
		now = s.o.Up()
	}
	pass := s.passing[lane]
	for _, seg := range sh.segments {
		if lane != LiveLane && sh.gap() && seg.id >= sh.gapLo {
			break // older ones are on the disk
		}
		if seg.waiting == 0 || seg.evicting || seg.private {
			continue
		}
		for i := seg.scan[lane]; i < len(seg.items) && seg.waiting > 0; i++ {
			it := seg.items[i]
			switch {
			case it.state == held:
				continue
			case it.state != waiting, lane == LiveLane && it.pos < sh.liveFrom:
			case lane == BacklogLane && it.pos >= sh.liveFrom:
				return out, false
			case s.expiredLocked(seg, it, now):
				s.loseItemLocked(seg, it, reasonExpired, now)
			case holds(pass, Part{it.stream, seg.run.kernel}):
			case len(out) > 0 && (len(out) >= max || bytes+len(it.body) > maxBytes):
				return out, true
			default:
				it.state = taken
				seg.waiting--
				seg.taken++
				s.inFlight++
				out = append(out, Pin{it})
				bytes += len(it.body)
			}
			if seg.scan[lane] == i {
				seg.scan[lane] = i + 1
			}
		}
	}
	return out, len(out) > 0 && len(out) >= max
}

// Ack ends delivered records. Those that were not stored yet never are; the others are deleted with
// the next commit, after 5 seconds at most. Records that are not in flight are ignored.
func (s *Store) Ack(r []Record) { s.acknowledge(r, false) }

func (s *Store) acknowledge(r []Record, unrouted bool) {
	now := s.o.Up()
	s.mu.Lock()
	for i := range r {
		if it := r[i].item; it != nil && it.state == taken {
			if unrouted {
				s.loseUnroutedLocked(it, now)
			}
			s.finishLocked(it, now)
			if r[i].Kind == Readings {
				s.stats.Acked++
			}
		}
	}
	for i := range s.shelves {
		s.compactLocked(&s.shelves[i])
	}
	urgent := s.tooDirtyLocked() || s.dirty > 0 && s.dirtyAt+ackDelay < s.timerAt ||
		len(s.unrouted.pending) > 0 && s.unrouted.since+unroutedDelay < s.timerAt
	s.mu.Unlock()
	if urgent {
		s.wakeCommitter()
	}
}

// Release gives back taken records that were not delivered. They come first in their lane again, in
// their order. Records that are not in flight are ignored.
func (s *Store) Release(r []Record) {
	s.mu.Lock()
	for i := range r {
		if it := r[i].item; it != nil && it.state == taken {
			it.state = waiting
			it.segment.waiting++
			it.segment.taken--
			it.segment.scan = [laneCount]int{}
			s.inFlight--
		}
	}
	s.mu.Unlock()
	s.wakeTaker()
}

// Split makes every reading that the store has now backlog; readings that are appended from now on
// are live. Call it when a connection comes up.
func (s *Store) Split() {
	s.mu.Lock()
	for i := range s.shelves {
		s.shelves[i].liveFrom, s.shelves[i].live = s.next, 0
	}
	s.mu.Unlock()
	s.wakeTaker()
}

// finishLocked marks an item as done.
func (s *Store) finishLocked(it *item, now time.Duration) {
	seg := it.segment
	switch it.state {
	case done:
		return
	case waiting:
		seg.waiting--
	case taken:
		seg.taken--
		s.inFlight--
	}
	it.state = done
	seg.left--
	sh := &s.shelves[seg.class]
	sh.depth--
	if it.pos >= sh.liveFrom {
		sh.live--
	}
	switch {
	case seg.stored:
		s.setDirtyLocked(seg, now)
		if seg.left == 0 {
			s.freeItemsLocked(seg)
		}
	default:
		s.front -= it.cost()
		if !seg.writing {
			seg.unseal()
			it.body = nil
		}
	}
}

// setDirtyLocked notes that a stored segment has acknowledgements to store.
func (s *Store) setDirtyLocked(seg *segment, now time.Duration) {
	if seg.dirty {
		return
	}
	if s.dirty == 0 {
		s.dirtyAt = now
	}
	seg.dirty = true
	s.dirty++
}

// freeItemsLocked frees the records of a stored segment that is finished. What stays, a copy of the
// last one without its body, holds no memory of the others: hundreds of such segments wait for the
// commit that deletes them.
func (s *Store) freeItemsLocked(seg *segment) {
	s.cached -= seg.cost
	seg.cost = 0
	seg.scan = [laneCount]int{}
	last := *seg.items[len(seg.items)-1]
	last.body = nil
	seg.items = []*item{&last}
}

// unseal opens a segment of the front that is in no transaction.
func (seg *segment) unseal() { seg.sealed, seg.encoded = false, nil }

// pruneSlack is how many acknowledged items a segment may keep besides as many as there are others.
const pruneSlack = 16

// prune leaves out what was acknowledged of a segment that is not sealed. The others move to memory
// of their own.
func (seg *segment) prune() {
	kept := make([]*item, 0, seg.left)
	seg.cost = 0
	for _, it := range seg.items {
		if it.state != done {
			kept = append(kept, it)
			seg.cost += it.cost()
		}
	}
	seg.items, seg.scan = kept, [laneCount]int{}
}

// compactLocked removes segments of the front that were acknowledged before they were committed,
// and most of what was acknowledged of others: it never reaches the disk.
func (s *Store) compactLocked(sh *shelf) {
	front := sh.unstored()
	kept := front[:0]
	for _, seg := range front {
		if seg.left == 0 && !seg.writing {
			continue
		}
		if !seg.writing && len(seg.items) > 2*seg.left+pruneSlack {
			seg.prune()
		}
		kept = append(kept, seg)
	}
	clear(front[len(kept):])
	sh.segments = sh.segments[:len(sh.segments)-len(front)+len(kept)]
}

// oldestFrontLocked returns when the oldest unacknowledged record of the front was appended, or a
// negative value.
func (s *Store) oldestFrontLocked() time.Duration {
	oldest := time.Duration(-1)
	for i := range s.shelves {
		for _, seg := range s.shelves[i].unstored() {
			if seg.left == 0 {
				continue
			}
			for _, it := range seg.items {
				if it.state != done {
					if oldest < 0 || it.at < oldest {
						oldest = it.at
					}
					break
				}
			}
			break
		}
	}
	return oldest
}
