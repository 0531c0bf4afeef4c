package buffer

import "time"

// unroutedDelay is how long what nobody got waits for the ledger, and how far
// apart its entries come there: each is told, which costs two more commits.
const unroutedDelay = 5 * time.Minute

// unrouted is what was delivered and nobody got, on its way to the ledger.
// Store.mu guards it.
type unrouted struct {
	pending []removal
	since   time.Duration // when the oldest of pending was acknowledged
	share   time.Duration // a commit that happens anyway takes pending along from then on
}

// AckUnrouted is Ack for records that the broker took although nobody had
// subscribed: their ranges become losses with the Reason "unrouted". That
// alone makes no commit within 5 minutes: until one, Flush or Close the ranges
// are only in RAM, and a crash forgets them.
func (s *Store) AckUnrouted(r []Record) { s.acknowledge(r, true) }

// HoldLosses(true) makes TakeLosses return nothing: nobody would hear of it,
// and meanwhile the entries go on growing together. HoldLosses(false) ends
// that; the next commit takes along what nobody got until then.
func (s *Store) HoldLosses(hold bool) {
	s.mu.Lock()
	ended := s.muted && !hold
	s.muted = hold
	if ended {
		s.unrouted.share = 0
	}
	s.mu.Unlock()
	if ended {
		s.wakeTaker()
	}
}

// loseUnroutedLocked notes that nobody got a record.
func (s *Store) loseUnroutedLocked(it *item, now time.Duration) {
	if len(s.unrouted.pending) == 0 {
		s.unrouted.since = now
	}
	s.unrouted.pending = merge(s.unrouted.pending, it.segment.removal(it, reasonUnrouted))
}

// unroutedDueLocked reports whether what nobody got needs a commit.
func (s *Store) unroutedDueLocked(now time.Duration) bool {
	return len(s.unrouted.pending) > 0 && (s.closing || now >= s.unrouted.since+unroutedDelay)
}

// enterUnroutedLocked adds what nobody got to the removals of the commit that is
// being built, if it is time for that or flush asks for it.
func (s *Store) enterUnroutedLocked(flush bool, now time.Duration) {
	if len(s.unrouted.pending) == 0 || !flush && now < s.unrouted.share && !s.unroutedDueLocked(now) {
		return
	}
	for _, r := range s.unrouted.pending {
		s.loseLocked(r, now)
	}
	s.unrouted.pending, s.unrouted.share = nil, now+unroutedDelay
}
