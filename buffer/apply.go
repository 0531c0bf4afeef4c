package buffer

import "math/bits"

// apply makes the state in RAM follow a transaction that is durable.
func (c *committer) apply(t *txn) {
	s := c.s
	now := s.o.Up()
	used, err := c.used()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.n = t.n
	s.dropSoonLocked(t)
	if err == nil {
		c.measureSpaceLocked(used) // together with the front, which becomes smaller
	}
	for _, seg := range t.segments {
		s.setStoredLocked(seg)
		if seg.left < len(seg.items) {
			s.setDirtyLocked(seg, now)
		}
		if seg.left == 0 {
			s.freeItemsLocked(seg)
		}
	}
	for _, it := range t.refused {
		s.finishLocked(it, now)
		s.stats.Refused++
	}
	for _, u := range t.acks {
		if !u.seg.stored {
			continue // it found no room
		}
		sh := &s.shelves[u.seg.class]
		if u.bits == nil {
			s.setCleanLocked(u.seg)
			sh.remove(u.seg)
			continue
		}
		u.seg.bits = u.count
		if u.seg.left > 0 && len(u.seg.items)-u.seg.left == u.count {
			s.setCleanLocked(u.seg)
		}
	}
	for _, e := range t.evicted {
		s.applyEvictionLocked(e)
	}
	for _, r := range t.removed[t.kept:] {
		s.countLossLocked(r.key.reason, r.count)
	}
	for _, a := range t.added {
		sh := &s.shelves[a.class]
		sh.depth += a.records
		if a.seg == nil || !s.passIfHeldLocked(sh, a.seg) {
			sh.cover(a.id, a.last+1)
		}
	}
	c.marks = t.marks
	s.losses.rows = t.n.Losses
	s.losses.acked = s.losses.acked[len(t.deleted):]
	for k, e := range t.open {
		if len(s.losses.open) >= maxOpen {
			clear(s.losses.open)
		}
		s.losses.open[k] = e
	}
	s.stats.Dead = t.n.Dead
	t.settle()
	for i := range s.shelves {
		s.compactLocked(&s.shelves[i])
	}
	s.unloadExcessLocked()
	s.wakeTaker()
}

// setStoredLocked turns a segment of the front into a resident segment.
func (s *Store) setStoredLocked(seg *segment) {
	seg.stored, seg.private, seg.encoded = true, false, nil
	s.cached += seg.cost
	for _, it := range seg.items {
		if it.state == done {
			continue
		}
		s.front -= it.cost()
		if it.state == held {
			it.state = waiting
			seg.waiting++
		}
	}
}

// setCleanLocked notes that the acknowledgements of a segment are stored.
func (s *Store) setCleanLocked(seg *segment) {
	if seg.dirty {
		seg.dirty = false
		s.dirty--
	}
}

// applyEvictionLocked forgets a segment that a limit removed.
func (s *Store) applyEvictionLocked(e evicted) {
	sh := &s.shelves[e.class]
	if e.seg == nil {
		sh.depth -= e.records
		return
	}
	for _, it := range e.seg.items {
		if it.state != done {
			it.state = done
			sh.depth--
			if it.pos >= sh.liveFrom {
				sh.live--
			}
			if !e.seg.stored {
				s.front -= it.cost()
			}
		}
	}
	if e.seg.stored {
		s.cached -= e.seg.cost
	}
	s.setCleanLocked(e.seg)
	sh.remove(e.seg)
}

// undo makes the state in RAM what it would be if a transaction that failed had never been tried.
// What an update appended was never visible; its numbers are used up.
func (c *committer) undo(t *txn) {
	s := c.s
	now := s.o.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range t.evicted {
		if e.seg != nil {
			e.seg.evicting = false
		}
	}
	s.expire = s.expire || t.expire
	c.thinFrom = [classCount][ThinLevels]uint64{}
	newer := s.removed
	s.removed = t.removed[:t.kept:t.kept]
	for _, r := range newer {
		s.removed = merge(s.removed, r)
	}
	for _, seg := range t.private {
		for _, it := range seg.items {
			s.loseLocked(seg.removal(it, reasonRejected), now)
			s.stats.Rejected++
			s.finishLocked(it, now)
		}
		seg.private = false
	}
	t.settle()
	for i := range s.shelves {
		s.compactLocked(&s.shelves[i])
	}
}

// unloadExcessLocked bounds the stored records kept in RAM: it unloads the oldest segments. They
// are only on the disk from then on, and their readings are backlog.
func (s *Store) unloadExcessLocked() {
	for i := range s.shelves {
		sh := &s.shelves[i]
		s.unloadPassedLocked(sh)
		count := len(sh.segments) - len(sh.unstored())
		for j := 0; j < len(sh.segments) && sh.segments[j].stored; {
			seg := sh.segments[j]
			if s.cached <= s.limits.cache && count <= maxCached {
				break
			}
			if seg.pinned() || seg.dirty || seg.evicting || seg.left == 0 || sh.gap() && seg.id < sh.gapLo {
				j++
				continue
			}
			s.unloadLocked(sh, seg)
			count--
		}
	}
}

// unloadLocked leaves a segment to the disk.
func (s *Store) unloadLocked(sh *shelf, seg *segment) {
	sh.cover(seg.id, seg.last()+1)
	s.cached -= seg.cost
	sh.remove(seg)
}

func popcount(b []byte) (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}
