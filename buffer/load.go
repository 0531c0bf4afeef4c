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
		if r == nil {
			s.mu.Lock()
			l.gapLo, l.gapHi = 0, 0
			s.mu.Unlock()
			s.signal()
			return nil
		}
		s.mu.Lock()
		known := l.resident(r.b.id) != nil
		s.mu.Unlock()
		if known {
			c.shrinkGap(l, r.b.id)
			continue
		}
		found := c.adopt(r)
		c.shrinkGap(l, r.b.id)
		if found {
			s.signal()
			return nil
		}
	}
}

func (c *committer) shrinkGap(l *lane, id uint64) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if l.gapLo = id + 1; l.gapLo >= l.gapHi {
		l.gapLo, l.gapHi = 0, 0
	}
}

// adopt makes a segment resident and reports whether it has anything to take.
// One that cannot be read is a loss.
func (c *committer) adopt(r *row) bool {
	s := c.s
	b := r.b
	b.bits = popcount(r.bits)
	err := c.decode(r)
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lanes[b.class]
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
	b.waiting = b.left
	l.insert(b)
	s.cached += b.cost
	if b.left == 0 {
		s.markDirty(b, now)
		s.drop(b)
	}
	return b.left > 0
}
