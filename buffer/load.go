package buffer

// load makes the first segment of the gap resident.
func (c *committer) load(cl class) error {
	s := c.s
	sh := &s.shelves[cl]
	for {
		s.mu.Lock()
		low, high := sh.gapLo, sh.gapHi
		complete := uint64(1<<63 - 1)
		if front := sh.unstored(); len(front) > 0 {
			// a dead letter that is retried waits for what was there before it
			complete = front[0].id
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
		r, err := c.readSegment(cl, low, min(high, complete)-1)
		if err != nil {
			return err
		}
		if r == nil && complete < high {
			return errIncomplete
		}
		if r != nil {
			if c.adopt(r, low) {
				s.wakeTaker()
				return nil
			}
			continue
		}
		s.mu.Lock()
		sh.shrink(low, high)
		s.mu.Unlock()
		s.wakeTaker()
	}
}

// shrink takes [low, to) out of the gap, unless Hold has changed where it begins since that was
// looked for.
func (sh *shelf) shrink(low, to uint64) {
	if sh.gapLo != low {
		return
	}
	if sh.gapLo = to; sh.gapLo >= sh.gapHi {
		sh.gapLo, sh.gapHi = 0, 0
	}
}

// adopt makes the segment resident that was found first in the gap from low on, and reports whether
// it has anything to take. One that cannot be read is a loss.
func (c *committer) adopt(r *row, low uint64) bool {
	s := c.s
	seg := r.seg
	sh := &s.shelves[seg.class]
	seg.bits = popcount(r.bits)
	s.mu.Lock()
	known := sh.resident(seg.id) != nil
	if known {
		sh.shrink(low, seg.id+1)
	}
	s.mu.Unlock()
	if known {
		return false
	}
	err := c.decode(r)
	now := s.o.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	sh.shrink(low, seg.id+1)
	if err != nil {
		n := r.records - int64(seg.bits)
		seg.items = []*item{{segment: seg, pos: seg.id, state: done}}
		seg.encoded = nil
		sh.insert(seg)
		s.setDirtyLocked(seg, now)
		s.loseLocked(removal{lossKey{seg.class.kind(), seg.run.id, "", reasonCorrupt}, 0, 0, uint64(n)}, now)
		s.stats.Corrupt += uint64(n)
		sh.depth -= n
		s.log.Error("segment cannot be read", "path", s.path, "class", tables[seg.class], "segment", seg.id, "records", n)
		return false
	}
	s.unloadPassedLocked(sh)
	seg.waiting = seg.left
	sh.insert(seg)
	s.cached += seg.cost
	if seg.left == 0 {
		s.setDirtyLocked(seg, now)
		s.freeItemsLocked(seg)
	}
	return seg.left > 0
}
