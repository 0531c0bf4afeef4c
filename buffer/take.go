package buffer

import (
	"context"
	"time"
)

// Take takes up to max records and about maxBytes of bodies from a queue,
// oldest first; at least one where there is any. They are pinned: no limit
// removes them before Ack, Release or Refuse. Take reads from the disk where
// the backlog is not in RAM; it returns nil while that fails.
func (s *Store) Take(q Queue, max, maxBytes int) []Record {
	lane := Readings
	if q == EventQueue {
		lane = Events
	}
	l := &s.lanes[lane]
	var out []Record
	s.mu.Lock()
	for {
		var enough bool
		out, enough = s.takeResident(l, q, out, max, maxBytes)
		if enough || q == LiveQueue || !l.gap() || s.closing || s.degraded != nil && s.dirty > maxDirty {
			break
		}
		s.mu.Unlock()
		err := s.submit(context.Background(), &job{read: func(c *committer) error { return c.load(lane) }})
		s.mu.Lock()
		if err != nil {
			break
		}
	}
	ahead := q != LiveQueue && l.gap() && s.ahead(l) < 2
	s.mu.Unlock()
	if ahead && len(out) > 0 {
		s.prefetch(lane)
	}
	return out
}

// ahead counts the loaded blocks that wait in front of the gap. s.mu is held.
func (s *Store) ahead(l *lane) int {
	n := 0
	for _, b := range l.blocks[:l.find(l.gapLo)] {
		if b.waiting > 0 {
			n++
		}
	}
	return n
}

// takeResident appends what is in RAM to out and reports whether that reached
// a bound or the end of the queue. s.mu is held.
func (s *Store) takeResident(l *lane, q Queue, out []Record, max, maxBytes int) ([]Record, bool) {
	bytes := 0
	for i := range out {
		bytes += len(out[i].Body)
	}
	for _, b := range l.blocks {
		if q != LiveQueue && l.gap() && b.id >= l.gapLo {
			break // older ones are on the disk
		}
		if b.waiting == 0 || b.evicting || b.private {
			continue
		}
		for i := b.scan; i < len(b.items) && b.waiting > 0; i++ {
			it := b.items[i]
			if it.state != waiting {
				if b.scan == i && it.state != held {
					b.scan = i + 1
				}
				continue
			}
			if q == LiveQueue && it.pos < s.liveFrom {
				continue
			}
			if q == BacklogQueue && it.pos >= s.liveFrom {
				return out, true
			}
			if len(out) > 0 && (len(out) >= max || bytes+len(it.body) > maxBytes) {
				return out, true
			}
			it.state = taken
			b.waiting--
			b.taken++
			s.inFlight++
			if b.scan == i {
				b.scan = i + 1
			}
			out = append(out, Record{Lane: b.lane, Store: b.store, Stream: it.stream, Boot: b.boot,
				Seq: it.seq, Up: it.up, Body: it.body, item: it})
			bytes += len(it.body)
		}
	}
	return out, len(out) > 0 && len(out) >= max
}

// Ack forgets delivered records: what was not stored yet never will be; the
// rest is deleted with the next commit, or after 5 seconds.
func (s *Store) Ack(r []Record) {
	now := s.o.Now()
	s.mu.Lock()
	for i := range r {
		if it := r[i].item; it != nil && it.state == taken {
			s.finish(it, now)
			if r[i].Lane == Readings {
				s.stats.Acked++
			}
		}
	}
	for i := range s.lanes {
		s.compact(&s.lanes[i])
	}
	urgent := s.dirty >= maxDirty || s.dirty > 0 && s.dirtyAt+ackDelay < s.timerAt
	s.mu.Unlock()
	if urgent {
		s.kick()
	}
}

// Release gives back what was not delivered. The records are the first of
// their queue again, in their order.
func (s *Store) Release(r []Record) {
	s.mu.Lock()
	for i := range r {
		if it := r[i].item; it != nil && it.state == taken {
			it.state = waiting
			it.block.waiting++
			it.block.taken--
			it.block.scan = 0
			s.inFlight--
		}
	}
	s.mu.Unlock()
	s.signal()
}

// Split makes every reading that is held now backlog; what is appended from
// now on is live. It is called when a connection comes up.
func (s *Store) Split() {
	s.mu.Lock()
	s.liveFrom = s.next
	s.live = 0
	s.mu.Unlock()
	s.signal()
}

// finish marks an item as done. s.mu is held.
func (s *Store) finish(it *item, now time.Duration) {
	b := it.block
	switch it.state {
	case done:
		return
	case waiting:
		b.waiting--
	case taken:
		b.taken--
		s.inFlight--
	}
	it.state = done
	b.left--
	s.lanes[b.lane].depth--
	if b.lane == Readings && it.pos >= s.liveFrom {
		s.live--
	}
	switch {
	case b.stored:
		s.markDirty(b, now)
		if b.left == 0 {
			s.drop(b)
		}
	default:
		s.front -= it.cost()
		if !b.sealed {
			it.body = nil
		}
	}
}

// markDirty notes that a stored block has acknowledgements to store. s.mu is held.
func (s *Store) markDirty(b *block, now time.Duration) {
	if b.dirty {
		return
	}
	if s.dirty == 0 {
		s.dirtyAt = now
	}
	b.dirty = true
	s.dirty++
}

// drop frees the records of a stored block that is finished. s.mu is held.
func (s *Store) drop(b *block) {
	s.cached -= b.cost
	b.cost = 0
	b.scan = 0
	if b.left == 0 && len(b.items) > 0 {
		b.items = b.items[len(b.items)-1:]
	}
}

// compact removes blocks of the front that were acknowledged before they were
// committed: they never reach the disk. s.mu is held.
func (s *Store) compact(l *lane) {
	front := l.unstored()
	kept := front[:0]
	for _, b := range front {
		if b.left > 0 || b.sealed {
			kept = append(kept, b)
		}
	}
	clear(front[len(kept):])
	l.blocks = l.blocks[:len(l.blocks)-len(front)+len(kept)]
}

// oldestFront returns when the oldest unacknowledged record of the front was
// appended, or a negative value. s.mu is held.
func (s *Store) oldestFront() time.Duration {
	oldest := time.Duration(-1)
	for i := range s.lanes {
		for _, b := range s.lanes[i].unstored() {
			if b.left == 0 {
				continue
			}
			for _, it := range b.items {
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
