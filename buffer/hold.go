package buffer

import "maps"

// passed is what Take has passed over: segments that are only on the disk,
// outside the gap, and hold nothing but records of streams that are held.
// Each is read once; the gap is made wider again when its streams are free.
type passed struct {
	from map[string]uint64 // of each held stream: no segment that has records of it has a lower id
	high uint64            // above the ids of all of them

	// A stream that is free for one Take does not cost another look at all
	// others: until the gap is shorter, what it has below to is of the streams
	// in held, and when these are held again it begins at to.
	to    uint64 // 0: nothing is known
	held  map[string]bool
	freed map[string]bool // those of them that were passed over
}

// Hold makes Take pass over the records of these streams in a queue, from now
// on; each call replaces the set of that queue. They stay in the store, which
// treats them as all others, and come in their order when they are free. Such
// a set costs one look at each segment.
func (s *Store) Hold(q Queue, streams map[string]bool) {
	s.mu.Lock()
	before := s.passing[q]
	s.passing[q] = maps.Clone(streams)
	for c := range s.lanes {
		l := &s.lanes[c]
		for _, b := range l.blocks {
			b.scan[q] = 0
		}
		if class(c).diskQueue() == q {
			l.hold(before, streams)
		}
	}
	s.mu.Unlock()
	s.signal()
}

// diskQueue returns the queue of what is only on the disk.
func (c class) diskQueue() Queue {
	if c == eventClass {
		return EventQueue
	}
	return BacklogQueue
}

// hold makes the gap follow a change of the streams over which Take passes.
// s.mu is held.
func (l *lane) hold(before, now map[string]bool) {
	p := &l.passed
	low, freed := p.high, map[string]bool{}
	for stream, id := range p.from {
		if !now[stream] {
			low, freed[stream] = min(low, id), true
			delete(p.from, stream)
		}
	}
	if len(freed) > 0 {
		to := p.high
		if l.gap() {
			to = l.gapLo
		}
		kept := *p
		l.cover(low, p.high)
		if kept.to > to { // known of more, some of which may have been passed over again
			*p = kept
		} else {
			p.to, p.held, p.freed = to, map[string]bool{}, map[string]bool{}
		}
		maps.Copy(p.held, before)
		maps.Copy(p.freed, freed)
	}
	for stream := range p.held {
		if !now[stream] {
			return
		}
	}
	if l.gap() && l.gapLo < p.to {
		for stream := range p.freed {
			p.note(stream, l.gapLo)
		}
		l.shrink(l.gapLo, p.to)
	}
	p.to, p.held, p.freed = 0, nil, nil
}

// note enters that a segment with records of a stream was passed over.
func (p *passed) note(stream string, id uint64) {
	if p.from == nil {
		p.from = make(map[string]uint64)
	}
	if first, ok := p.from[stream]; !ok || id < first {
		p.from[stream] = id
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

// pass enters a segment that is only on the disk from now on. s.mu is held.
func (l *lane) pass(b *block) {
	for _, it := range b.items {
		if it.state == waiting {
			l.passed.note(it.stream, b.id)
		}
	}
	l.passed.high = max(l.passed.high, b.last()+1)
	l.split(b.last() + 1)
}

// passedOver reports whether Take found nothing in a stored block but what it
// passes over.
func (b *block) passedOver() bool {
	return b.stored && b.waiting > 0 && b.scan[b.class.diskQueue()] == len(b.items)
}

// unloadPassed leaves the segments to the disk that were passed over. s.mu is
// held.
func (s *Store) unloadPassed(l *lane) {
	for i := 0; i < len(l.blocks) && l.blocks[i].stored; {
		b := l.blocks[i]
		if !b.passedOver() || b.pinned() || b.dirty || b.evicting {
			i++
			continue
		}
		l.pass(b)
		s.cached -= b.cost
		l.remove(b)
	}
}

// staysPassed enters a segment that took the place of others, where Take would
// pass over it as well, and reports whether it did. s.mu is held.
func (s *Store) staysPassed(l *lane, b *block) bool {
	if l.gap() && b.id >= l.gapLo {
		return false
	}
	for _, it := range b.items {
		if !s.passing[b.class.diskQueue()][it.stream] {
			return false
		}
	}
	l.pass(b)
	return true
}

// tooDirty reports whether acknowledgements have to be stored at once. s.mu is
// held.
func (s *Store) tooDirty() bool {
	if s.dirty >= maxDirty {
		return true
	}
	cost := 0
	for i := range s.lanes {
		if s.dirty == 0 || len(s.passing[class(i).diskQueue()]) == 0 {
			continue
		}
		for _, b := range s.lanes[i].blocks {
			if b.dirty && b.passedOver() && !b.pinned() {
				cost += b.cost
			}
		}
	}
	return cost > maxHeldBack
}
