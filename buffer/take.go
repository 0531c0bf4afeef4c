package buffer

import (
	"context"
	"time"
)

// Take takes up to max records and about maxBytes of bodies from a queue,
// oldest first within a priority, the higher ones first; at least one where
// there is any. They are pinned: no limit removes them before Ack, Release or
// Refuse. Take reads from the disk where the backlog is not in RAM; it returns
// nil while that fails. It passes over the streams that Hold names.
func (s *Store) Take(q Queue, max, maxBytes int) []Record {
	s.learnPowerUps()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Record
	if q == EventQueue {
		out, _ = s.takeClass(eventClass, q, nil, max, maxBytes)
		return out
	}
	for c := highClass; ; c-- {
		var enough bool
		if out, enough = s.takeClass(c, q, out, max, maxBytes); enough || c == lowClass {
			return out
		}
	}
}

// takeClass appends records of one class to out and reports whether that
// reached a bound: the records after them come from this class again. s.mu is
// held, but not while it reads from the disk.
func (s *Store) takeClass(c class, q Queue, out []Record, max, maxBytes int) ([]Record, bool) {
	l := &s.lanes[c]
	enough, taken := false, len(out)
	if len(l.blocks) == 0 && !l.gap() {
		return out, false
	}
	expired := s.stats.Expired
	for loads := 0; ; loads++ {
		if out, enough = s.takeResident(l, q, out, max, maxBytes); enough || q == LiveQueue || !l.gap() || s.closing {
			break
		}
		if enough = loads >= maxLoads || s.degraded != nil && s.tooDirty(); enough {
			if s.degraded == nil {
				s.signal() // only what is expired or held was read so far
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
		s.kick()
	}
	if len(out) > taken && q != LiveQueue && l.gap() && s.ahead(l) < 2 {
		s.prefetch(c)
	}
	return out, enough
}

// ahead counts the loaded blocks that wait in front of the gap. s.mu is held.
func (s *Store) ahead(l *lane) int {
	n := 0
	for _, b := range l.blocks[:l.find(l.gapLo)] {
		if b.waiting > 0 && !b.passedOver() {
			n++
		}
	}
	return n
}

// takeResident appends what is in RAM to out and reports whether that reached
// a bound. s.mu is held.
func (s *Store) takeResident(l *lane, q Queue, out []Record, max, maxBytes int) ([]Record, bool) {
	bytes := 0
	for i := range out {
		bytes += len(out[i].Body)
	}
	var now time.Duration
	if len(s.ttl) > 0 { // asking costs as much as all the rest
		now = s.o.Now()
	}
	pass := s.passing[q]
	for _, b := range l.blocks {
		if q != LiveQueue && l.gap() && b.id >= l.gapLo {
			break // older ones are on the disk
		}
		if b.waiting == 0 || b.evicting || b.private {
			continue
		}
		for i := b.scan[q]; i < len(b.items) && b.waiting > 0; i++ {
			it := b.items[i]
			switch {
			case it.state == held:
				continue
			case it.state != waiting, q == LiveQueue && it.pos < l.liveFrom:
			case q == BacklogQueue && it.pos >= l.liveFrom:
				return out, false
			case s.expired(b, it, now):
				s.loseItem(b, it, reasonExpired, now)
			case pass[it.stream]:
			case len(out) > 0 && (len(out) >= max || bytes+len(it.body) > maxBytes):
				return out, true
			default:
				it.state = taken
				b.waiting--
				b.taken++
				s.inFlight++
				if out == nil {
					out = make([]Record, 0, min(max, maxBytes/(len(it.body)+1)+1, int(l.depth)))
				}
				out = append(out, it.record())
				bytes += len(it.body)
			}
			if b.scan[q] == i {
				b.scan[q] = i + 1
			}
		}
	}
	return out, len(out) > 0 && len(out) >= max
}

// Ack forgets delivered records: what was not stored yet never will be; the
// rest is deleted with the next commit, or after 5 seconds.
func (s *Store) Ack(r []Record) { s.acknowledge(r, false) }

func (s *Store) acknowledge(r []Record, unrouted bool) {
	now := s.o.Now()
	s.mu.Lock()
	for i := range r {
		if it := r[i].item; it != nil && it.state == taken {
			if unrouted {
				s.loseUnrouted(it, now)
			}
			s.finish(it, now)
			if r[i].Lane == Readings {
				s.stats.Acked++
			}
		}
	}
	for i := range s.lanes {
		s.compact(&s.lanes[i])
	}
	urgent := s.tooDirty() || s.dirty > 0 && s.dirtyAt+ackDelay < s.timerAt ||
		len(s.unrouted.pending) > 0 && s.unrouted.since+unroutedDelay < s.timerAt
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
			it.block.scan = [queueCount]int{}
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
	for i := range s.lanes {
		s.lanes[i].liveFrom, s.lanes[i].live = s.next, 0
	}
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
	l := &s.lanes[b.class]
	l.depth--
	if it.pos >= l.liveFrom {
		l.live--
	}
	switch {
	case b.stored:
		s.markDirty(b, now)
		if b.left == 0 {
			s.drop(b)
		}
	default:
		s.front -= it.cost()
		if !b.writing {
			b.unseal()
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

// drop frees the records of a stored block that is finished. What stays, a copy
// of the last one without its body, holds no memory of the others: hundreds of
// such blocks wait for the commit that deletes them. s.mu is held.
func (s *Store) drop(b *block) {
	s.cached -= b.cost
	b.cost = 0
	b.scan = [queueCount]int{}
	last := *b.items[len(b.items)-1]
	last.body = nil
	b.items = []*item{&last}
}

// unseal opens a block of the front that is in no transaction. s.mu is held.
func (b *block) unseal() { b.sealed, b.encoded = false, nil }

// pruneSlack is how many acknowledged items a block may keep besides as many
// as there are others.
const pruneSlack = 16

// prune leaves out what was acknowledged of a block that is not sealed. The
// others move to memory of their own. s.mu is held.
func (b *block) prune() {
	kept := make([]*item, 0, b.left)
	b.cost = 0
	for _, it := range b.items {
		if it.state != done {
			kept = append(kept, it)
			b.cost += it.cost()
		}
	}
	b.items, b.scan = kept, [queueCount]int{}
}

// compact removes blocks of the front that were acknowledged before they were
// committed, and most of what was acknowledged of others: it never reaches the
// disk. s.mu is held.
func (s *Store) compact(l *lane) {
	front := l.unstored()
	kept := front[:0]
	for _, b := range front {
		if b.left == 0 && !b.writing {
			continue
		}
		if !b.writing && len(b.items) > 2*b.left+pruneSlack {
			b.prune()
		}
		kept = append(kept, b)
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
