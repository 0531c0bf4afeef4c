package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Append adds a record to the store and copies its body. The record is in RAM when Append returns,
// and durable within Options.MaxLoss; if that is zero, it is durable when Append returns. If
// readings arrive faster than the storage writes them, Append waits for room in RAM. up is when the
// record was measured, as the time since power-up (Options.Up).
//
// seq is the number that was assigned; zero means that none was and that nothing was kept. With
// another seq the error says what happened to the record: ErrFull, it was not accepted, and its
// number is in the ledger; ErrNotDurable, it is kept in RAM and committed later (only if MaxLoss is
// zero); an error of ctx, the same. Without a number come ErrTooLarge, ErrClosed, an error of ctx
// and, for an unknown kind or an empty stream, ErrOptions.
func (s *Store) Append(ctx context.Context, kind Kind, stream string, up time.Duration, body []byte) (seq uint64, err error) {
	if err := s.check(kind, stream, body); err != nil {
		return 0, err
	}
	limit := s.limits.frontOf(s.classOf(kind, stream))
	s.mu.Lock()
	for s.front+len(body)+itemOverhead > limit && !s.closing && s.degraded == nil && s.retryAt == 0 && ctx.Err() == nil {
		ended := s.ended
		s.mu.Unlock()
		s.wakeCommitter()
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
	now := s.o.Up()
	st := s.streamLocked(kind, stream)
	st.last++
	seq = st.last
	if s.makeFrontRoomLocked(st.class, len(body)+itemOverhead, now) {
		// else ErrNotDurable: it can be taken
		s.putLocked(st, up, body, now, s.o.MaxLoss == 0 && s.degraded == nil && s.retryAt == 0)
	} else {
		s.loseLocked(removal{lossKey{kind, s.run.id, st.name, reasonRejected}, seq, seq, 1}, now)
		s.stats.Rejected++
		err = ErrFull
		s.expireSoonLocked(now)
	}
	r, wait := s.round, s.o.MaxLoss == 0 && s.degraded == nil && (err != nil || s.retryAt == 0)
	failure, urgent := s.degraded, s.expire || s.front >= s.limits.commit || now+s.mayWaitLocked() < s.timerAt
	s.mu.Unlock()
	if urgent {
		s.wakeCommitter()
	}
	if wait {
		select {
		case <-r.done:
			failure = r.err
		case <-ctx.Done():
			failure = ctx.Err()
		}
	} else {
		s.wakeTaker()
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

func (s *Store) check(kind Kind, stream string, body []byte) error {
	switch {
	case kind >= kindCount:
		return fmt.Errorf("buffer: append: kind %d: %w", kind, ErrOptions)
	case stream == "":
		return fmt.Errorf("buffer: append: empty stream: %w", ErrOptions)
	case len(stream) > MaxStream:
		return fmt.Errorf("buffer: append: name of %d bytes, at most %d: %w", len(stream), MaxStream, ErrTooLarge)
	case len(body) > s.limits.body:
		return fmt.Errorf("buffer: append %s: body of %d bytes, at most %d: %w", stream, len(body), s.limits.body, ErrTooLarge)
	}
	return nil
}

// putLocked appends to the front what has the last number of its stream.
func (s *Store) putLocked(st *stream, up time.Duration, body []byte, now time.Duration, hold bool) {
	sh := &s.shelves[st.class]
	var seg *segment
	if n := len(sh.segments); n > 0 && !sh.segments[n-1].sealed && sh.segments[n-1].cost < segmentCost {
		seg = sh.segments[n-1]
	} else {
		seg = &segment{class: st.class, run: s.run, id: s.next}
		sh.segments = append(sh.segments, seg)
	}
	it := &item{
		segment: seg,
		pos:     s.next,
		seq:     st.last,
		up:      up,
		at:      now,
		stream:  st.name,
		body:    append(make([]byte, 0, len(body)), body...),
		state:   waiting,
	}
	s.next++
	if hold {
		it.state = held
	} else {
		seg.waiting++
	}
	seg.items = append(seg.items, it)
	seg.left++
	seg.cost += it.cost()
	s.front += it.cost()
	sh.depth++
	sh.live++
	if st.class != eventClass {
		s.stats.Appended++
	}
}

// makeFrontRoomLocked applies the policy to the front until a record of this cost fits, and reports
// whether it does: with RejectNew it removes nothing, else the records of the class of least worth
// give way first.
func (s *Store) makeFrontRoomLocked(c class, cost int, now time.Duration) bool {
	limit := s.limits.frontOf(c)
	if s.o.WhenFull == RejectNew {
		// what is taken will find room
		return !s.full[c] && s.front+cost <= limit && int64(s.front+cost) <= s.space[c]
	}
	if s.front+cost <= limit {
		return true
	}
	for v := range c + 1 {
		for _, seg := range s.shelves[v].unstored() {
			for _, it := range seg.items {
				if s.front+cost <= limit {
					return true
				}
				if it.state == waiting && !seg.evicting { // else the commit that runs removes it
					s.loseItemLocked(seg, it, reasonEvicted, now)
				}
			}
		}
		s.compactLocked(&s.shelves[v])
	}
	return s.front+cost <= limit
}

// expireSoonLocked lets the next commit look for expired readings, at most once a minute: a store
// that rejects new ones makes room by nothing else.
func (s *Store) expireSoonLocked(now time.Duration) {
	if len(s.ttl) > 0 && now >= s.expireAt {
		s.expire, s.expireAt = true, now+time.Minute
	}
}
