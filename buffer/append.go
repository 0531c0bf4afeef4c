package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Append takes a record; body is copied. The record is in RAM when Append
// returns and durable within MaxLoss; with a MaxLoss of zero it is durable.
//
// Seq is the number that was assigned, zero where none was. ErrFull: the
// record was not taken, its number is in the ledger. ErrNotDurable: the
// record is held in RAM. Where ctx ends while Append waits for the commit, the
// record is kept all the same. Append waits for room in RAM where the storage
// is slower than the readings.
func (s *Store) Append(ctx context.Context, lane Lane, stream string, up time.Duration, body []byte) (seq uint64, err error) {
	if err := s.check(lane, stream, body); err != nil {
		return 0, err
	}
	limit := s.limits.frontOf(s.classOf(lane, stream))
	s.mu.Lock()
	for s.front+len(body)+itemOverhead > limit && !s.closing && s.degraded == nil && s.retryAt == 0 && ctx.Err() == nil {
		ended := s.ended
		s.mu.Unlock()
		s.kick()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	if s.closing {
		s.mu.Unlock()
		return 0, ErrClosed
	}
	now := s.o.Now()
	sr := s.stream(lane, stream)
	sr.last++
	seq = sr.last
	if s.makeRoom(sr.class, len(body)+itemOverhead, now) {
		s.put(sr, up, body, now, s.o.MaxLoss == 0 && s.degraded == nil && s.retryAt == 0) // else ErrNotDurable: it can be taken
	} else {
		s.lose(removal{lossKey{lane, s.run.id, sr.name, reasonRejected}, seq, seq, 1}, now)
		s.stats.Rejected++
		err = ErrFull
		s.expireSoon(now)
	}
	r, wait := s.round, s.o.MaxLoss == 0 && s.degraded == nil && (err != nil || s.retryAt == 0)
	failure, urgent := s.degraded, s.expire || s.front >= s.limits.commit || now+s.mayWait() < s.timerAt
	s.mu.Unlock()
	if urgent {
		s.kick()
	}
	if wait {
		select {
		case <-r.done:
			failure = r.err
		case <-ctx.Done():
			failure = ctx.Err()
		}
	} else {
		s.signal()
	}
	switch {
	case err != nil || s.o.MaxLoss > 0 || wait && failure == nil:
	case failure == nil:
		err = ErrNotDurable // the front waits for room
	case ctx.Err() == nil && !errors.Is(failure, ErrNotDurable):
		err = fmt.Errorf("%w: %w", ErrNotDurable, failure)
	default:
		err = failure
	}
	if err != nil {
		return seq, fmt.Errorf("buffer: append %s %d: %w", stream, seq, err)
	}
	return seq, nil
}

func (s *Store) check(lane Lane, stream string, body []byte) error {
	switch {
	case lane >= laneCount:
		return fmt.Errorf("buffer: append: lane %d: %w", lane, ErrOptions)
	case stream == "":
		return fmt.Errorf("buffer: append: empty stream: %w", ErrOptions)
	case len(stream) > MaxStream:
		return fmt.Errorf("buffer: append: name of %d bytes, at most %d: %w", len(stream), MaxStream, ErrTooLarge)
	case len(body) > s.limits.body:
		return fmt.Errorf("buffer: append %s: body of %d bytes, at most %d: %w", stream, len(body), s.limits.body, ErrTooLarge)
	}
	return nil
}

// put appends to the front what has the last number of its stream. s.mu is
// held.
func (s *Store) put(sr *series, up time.Duration, body []byte, now time.Duration, hold bool) {
	l := &s.lanes[sr.class]
	var b *block
	if n := len(l.blocks); n > 0 && !l.blocks[n-1].sealed && l.blocks[n-1].cost < blockCost {
		b = l.blocks[n-1]
	} else {
		b = &block{class: sr.class, run: s.run, id: s.next}
		l.blocks = append(l.blocks, b)
	}
	it := &item{
		block:  b,
		pos:    s.next,
		seq:    sr.last,
		up:     up,
		at:     now,
		stream: sr.name,
		body:   append(make([]byte, 0, len(body)), body...),
		state:  waiting,
	}
	s.next++
	if hold {
		it.state = held
	} else {
		b.waiting++
	}
	b.items = append(b.items, it)
	b.left++
	b.cost += it.cost()
	s.front += it.cost()
	l.depth++
	l.live++
	if sr.class != eventClass {
		s.stats.Appended++
	}
}

// makeRoom reports whether a record of this cost can be taken, after it has
// applied the policy to the front: the class of least worth gives way first.
// s.mu is held.
func (s *Store) makeRoom(c class, cost int, now time.Duration) bool {
	limit := s.limits.frontOf(c)
	if s.o.WhenFull == RejectNew {
		return !s.full[c] && s.front+cost <= limit && int64(s.front+cost) <= s.space[c] // what is taken will find room
	}
	if s.front+cost <= limit {
		return true
	}
	for v := range c + 1 {
		for _, b := range s.lanes[v].unstored() {
			for _, it := range b.items {
				if s.front+cost <= limit {
					return true
				}
				if it.state == waiting && !b.evicting { // else the commit that runs removes it
					s.loseItem(b, it, reasonEvicted, now)
				}
			}
		}
		s.compact(&s.lanes[v])
	}
	return s.front+cost <= limit
}

// expireSoon lets the next commit look for expired readings, once a minute:
// a store that rejects new ones makes room by nothing else. s.mu is held.
func (s *Store) expireSoon(now time.Duration) {
	if len(s.ttl) > 0 && now >= s.expireAt {
		s.expire, s.expireAt = true, now+time.Minute
	}
}
