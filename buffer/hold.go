package buffer

import "maps"

// passed is what Take has passed over: segments that are only on the disk, outside the gap, and
// hold nothing but records of parts that are held. Each is read once; the gap is made wider again
// when its parts are free. Store.mu guards it, and its methods need it held.
type passed struct {
	from map[Part]uint64 // of each part that is held: no segment that has records of it has a lower id
	high uint64          // above the ids of all of them

	// A part that is free for one Take does not cost another look at all others: until the gap is
	// shorter, what it has below to is of the parts in held, and when these are held again it
	// begins at to.
	to    uint64 // 0: nothing is known
	held  map[Part]bool
	freed map[Part]bool // those of them that were passed over
}

// A Part is what Hold makes Take skip: a stream, or what it has of one boot of the kernel.
type Part struct {
	Stream string
	Kernel string // Record.Kernel; empty: of every boot
}

// holder returns the part of a set that a record belongs to; what is in none is a part of its own.
func holder(parts map[Part]bool, stream, kernel string) Part {
	if all := (Part{Stream: stream}); parts[all] {
		return all
	}
	return Part{stream, kernel}
}

// holds reports whether a part, or all of its stream, is in a set.
func holds(parts map[Part]bool, p Part) bool {
	return len(parts) > 0 && (parts[p] || parts[Part{Stream: p.Stream}])
}

// Hold makes Take skip the records of these parts of a lane from now on; each call replaces the set
// of that lane, and nil holds none. The records stay in the store, count as unacknowledged, may be
// removed by limits, and are taken in their order when their part is no longer in the set. The map
// is copied. After each change of the set, Take reads the skipped segments once.
func (s *Store) Hold(lane Lane, parts map[Part]bool) {
	s.mu.Lock()
	before := s.passing[lane]
	s.passing[lane] = maps.Clone(parts)
	for c := range s.shelves {
		sh := &s.shelves[c]
		for _, seg := range sh.segments {
			seg.scan[lane] = 0
		}
		if class(c).diskLane() == lane {
			sh.hold(before, parts)
		}
	}
	s.mu.Unlock()
	s.wakeTaker()
}

// diskLane returns the lane of what is only on the disk.
func (c class) diskLane() Lane {
	if c == eventClass {
		return EventLane
	}
	return BacklogLane
}

// hold makes the gap follow a change of the parts over which Take passes.
func (sh *shelf) hold(before, now map[Part]bool) {
	p := &sh.passed
	low, freed := p.high, map[Part]bool{}
	for part, id := range p.from {
		if !holds(now, part) {
			low, freed[part] = min(low, id), true
			delete(p.from, part)
		}
	}
	if len(freed) > 0 {
		to := p.high
		if sh.gap() {
			to = sh.gapLo
		}
		kept := *p
		sh.cover(low, p.high)
		if kept.to > to { // known of more, some of which may have been passed over again
			*p = kept
		} else {
			p.to, p.held, p.freed = to, map[Part]bool{}, map[Part]bool{}
		}
		maps.Copy(p.held, before)
		maps.Copy(p.freed, freed)
	}
	for part := range p.held {
		if !holds(now, part) {
			return
		}
	}
	if sh.gap() && sh.gapLo < p.to {
		for part := range p.freed {
			p.note(part, sh.gapLo)
		}
		sh.shrink(sh.gapLo, p.to)
	}
	p.to, p.held, p.freed = 0, nil, nil
}

// note enters that a segment with records of a part was passed over.
func (p *passed) note(part Part, id uint64) {
	if p.from == nil {
		p.from = make(map[Part]uint64)
	}
	if first, ok := p.from[part]; !ok || id < first {
		p.from[part] = id
	}
}

// before reports whether something below id was passed over.
func (p *passed) before(id uint64) bool {
	for _, first := range p.from {
		if first < id {
			return true
		}
	}
	return false
}

// pass enters a segment that is only on the disk from now on.
func (sh *shelf) pass(seg *segment, parts map[Part]bool) {
	for _, it := range seg.items {
		if it.state == waiting {
			sh.passed.note(holder(parts, it.stream, seg.run.kernel), seg.id)
		}
	}
	sh.passed.high = max(sh.passed.high, seg.last()+1)
	sh.split(seg.last() + 1)
}

// passedOver reports whether Take found nothing in a stored segment but what it passes over.
func (seg *segment) passedOver() bool {
	return seg.stored && seg.waiting > 0 && seg.scan[seg.class.diskLane()] == len(seg.items)
}

// unloadPassedLocked leaves the segments to the disk that were passed over.
func (s *Store) unloadPassedLocked(sh *shelf) {
	for i := 0; i < len(sh.segments) && sh.segments[i].stored; {
		seg := sh.segments[i]
		if !seg.passedOver() || seg.pinned() || seg.dirty || seg.evicting {
			i++
			continue
		}
		sh.pass(seg, s.passing[seg.class.diskLane()])
		s.cached -= seg.cost
		sh.remove(seg)
	}
}

// passIfHeldLocked passes over a segment that took the place of others if Take would pass over all
// of it as well, and reports whether it did.
func (s *Store) passIfHeldLocked(sh *shelf, seg *segment) bool {
	if sh.gap() && seg.id >= sh.gapLo {
		return false
	}
	parts := s.passing[seg.class.diskLane()]
	for _, it := range seg.items {
		if !holds(parts, Part{it.stream, seg.run.kernel}) {
			return false
		}
	}
	sh.pass(seg, parts)
	return true
}

// tooDirtyLocked reports whether acknowledgements have to be stored at once.
func (s *Store) tooDirtyLocked() bool {
	if s.dirty >= maxDirty {
		return true
	}
	cost := 0
	for i := range s.shelves {
		if s.dirty == 0 || len(s.passing[class(i).diskLane()]) == 0 {
			continue
		}
		for _, seg := range s.shelves[i].segments {
			if seg.dirty && seg.passedOver() && !seg.pinned() {
				cost += seg.cost
			}
		}
	}
	return cost > maxHeldBack
}
