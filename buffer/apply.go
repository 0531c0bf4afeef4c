package buffer

import "math/bits"

// apply makes the state in RAM follow a transaction that is durable.
func (c *committer) apply(t *txn) {
	s := c.s
	now := s.o.Now()
	used, err := c.used()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.n = t.n
	if err == nil {
		c.measure(used) // together with the front, which becomes smaller
	}
	for _, b := range t.blocks {
		s.nowStored(b)
		if b.left < len(b.items) {
			s.markDirty(b, now)
		}
		if b.left == 0 {
			s.drop(b)
		}
	}
	for _, it := range t.refused {
		s.finish(it, now)
		s.stats.Refused++
	}
	for _, u := range t.acks {
		if !u.b.stored {
			continue // it found no room
		}
		l := &s.lanes[u.b.class]
		if u.bits == nil {
			s.clean(u.b)
			l.remove(u.b)
			continue
		}
		u.b.bits = u.count
		if u.b.left > 0 && len(u.b.items)-u.b.left == u.count {
			s.clean(u.b)
		}
	}
	for _, e := range t.evicted {
		s.applyEviction(e)
	}
	for _, r := range t.removed[t.kept:] {
		s.count(r.key.reason, r.count)
	}
	for _, a := range t.added {
		l := &s.lanes[a.class]
		l.depth += a.records
		if a.b == nil || !s.staysPassed(l, a.b) {
			l.cover(a.id, a.last+1)
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
	for i := range s.lanes {
		s.compact(&s.lanes[i])
	}
	s.trim()
	s.signal()
}

// nowStored turns a block of the front into a resident segment. s.mu is held.
func (s *Store) nowStored(b *block) {
	b.stored, b.private, b.encoded = true, false, nil
	s.cached += b.cost
	for _, it := range b.items {
		if it.state == done {
			continue
		}
		s.front -= it.cost()
		if it.state == held {
			it.state = waiting
			b.waiting++
		}
	}
}

// clean notes that the acknowledgements of a block are stored. s.mu is held.
func (s *Store) clean(b *block) {
	if b.dirty {
		b.dirty = false
		s.dirty--
	}
}

// applyEviction forgets a segment that a limit removed. s.mu is held.
func (s *Store) applyEviction(e evicted) {
	l := &s.lanes[e.class]
	if e.b == nil {
		l.depth -= e.records
		return
	}
	for _, it := range e.b.items {
		if it.state != done {
			it.state = done
			l.depth--
			if it.pos >= l.liveFrom {
				l.live--
			}
			if !e.b.stored {
				s.front -= it.cost()
			}
		}
	}
	if e.b.stored {
		s.cached -= e.b.cost
	}
	s.clean(e.b)
	l.remove(e.b)
}

// undo makes the state in RAM as if a transaction that failed had never been
// tried. What an update appended was never visible; its numbers are used up.
func (c *committer) undo(t *txn) {
	s := c.s
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range t.evicted {
		if e.b != nil {
			e.b.evicting = false
		}
	}
	s.expire = s.expire || t.expire
	c.thinFrom = [classCount][ThinLevels]uint64{}
	newer := s.removed
	s.removed = t.removed[:t.kept:t.kept]
	for _, r := range newer {
		s.removed = merge(s.removed, r)
	}
	for _, b := range t.private {
		for _, it := range b.items {
			s.lose(b.removal(it, reasonRejected), now)
			s.stats.Rejected++
			s.finish(it, now)
		}
		b.private = false
	}
	t.settle()
	for i := range s.lanes {
		s.compact(&s.lanes[i])
	}
}

// trim bounds the stored records kept in RAM: the oldest segments are only on
// the disk from then on, and their readings are backlog. s.mu is held.
func (s *Store) trim() {
	for i := range s.lanes {
		l := &s.lanes[i]
		s.unloadPassed(l)
		count := len(l.blocks) - len(l.unstored())
		for j := 0; j < len(l.blocks) && l.blocks[j].stored; {
			b := l.blocks[j]
			if s.cached <= s.limits.cache && count <= maxCached {
				break
			}
			if b.pinned() || b.dirty || b.evicting || b.left == 0 || l.gap() && b.id < l.gapLo {
				j++
				continue
			}
			s.unload(l, b)
			count--
		}
	}
}

// unload leaves a segment to the disk. s.mu is held.
func (s *Store) unload(l *lane, b *block) {
	l.cover(b.id, b.last()+1)
	s.cached -= b.cost
	l.remove(b)
}

func popcount(b []byte) (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}
