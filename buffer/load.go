package buffer

// load makes the first segment of the gap resident.
func (c *committer) load(cl class) error {
	s := c.s
	l := &s.lanes[cl]
	for {
		s.mu.Lock()
		low, high := l.gapLo, l.gapHi
		complete := uint64(1<<63 - 1)
		if front := l.unstored(); len(front) > 0 {
			complete = front[0].id // a dead letter that is retried waits for what was there before it
		}
		s.mu.Unlock()
		if low >= high {
			return nil
		}
		if c.salvage != nil {
			complete = min(complete, c.salvage.mayLoad(cl))
		}
		if low >= complete {
			return errIncomplete
		}
		r, err := c.segment(cl, low, min(high, complete)-1)
		if err != nil {
			return err
		}
		if r == nil && complete < high {
			return errIncomplete
		}
		if r != nil {
			if c.adopt(r, low) {
				s.signal()
				return nil
			}
			continue
		}
		s.mu.Lock()
		l.shrink(low, high)
		s.mu.Unlock()
		s.signal()
	}
}

// shrink takes [low, to) out of the gap, unless Hold has changed where it
// begins since that was looked for. s.mu is held.
func (l *lane) shrink(low, to uint64) {
	if l.gapLo != low {
		return
	}
	if l.gapLo = to; l.gapLo >= l.gapHi {
		l.gapLo, l.gapHi = 0, 0
	}
}

// adopt makes the segment resident that was found first in the gap from low
// on, and reports whether it has anything to take. One that cannot be read is a
// loss.
func (c *committer) adopt(r *row, low uint64) bool {
	s := c.s
	b := r.b
	l := &s.lanes[b.class]
	b.bits = popcount(r.bits)
	s.mu.Lock()
	known := l.resident(b.id) != nil
	if known {
		l.shrink(low, b.id+1)
	}
	s.mu.Unlock()
	if known {
		return false
	}
	err := c.decode(r)
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.shrink(low, b.id+1)
	if err != nil {
		n := r.records - int64(b.bits)
		b.items = []*item{{block: b, pos: b.id, state: done}}
		b.encoded = nil
		l.insert(b)
		s.markDirty(b, now)
		s.lose(removal{lossKey{b.class.lane(), b.run.id, "", reasonCorrupt}, 0, 0, uint64(n)}, now)
		s.stats.Corrupt += uint64(n)
		l.depth -= n
		s.log.Error("segment cannot be read", "path", s.path, "lane", tables[b.class], "segment", b.id, "records", n)
		return false
	}
	s.unloadPassed(l)
	b.waiting = b.left
	l.insert(b)
	s.cached += b.cost
	if b.left == 0 {
		s.markDirty(b, now)
		s.drop(b)
	}
	return b.left > 0
}
