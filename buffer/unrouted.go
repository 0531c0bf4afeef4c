package buffer

import "time"

// unroutedDelay is how long what was unrouted waits for the ledger, and how far apart its entries
// get there: each is reported, which costs two more commits.
const unroutedDelay = 5 * time.Minute

// unrouted is what was delivered although nobody had subscribed, on its way to the ledger. Store.mu
// guards it.
type unrouted struct {
	pending []removal
	since   time.Duration // when the oldest of pending was acknowledged
	share   time.Duration // a commit that happens anyway takes pending along from then on
}

// AckUnrouted is Ack for records that the broker accepted although nobody had subscribed: their
// ranges become losses with the Reason "unrouted". On their own they cause no commit for 5 minutes.
// Until the next commit, Flush or Close the ranges are only in RAM, and a crash loses them.
func (s *Store) AckUnrouted(r []Record) { s.acknowledge(r, true) }

// HoldLosses(true) makes TakeLosses return nothing, for the time in which nobody would receive the
// entries; meanwhile entries that continue each other become one. HoldLosses(false), the state
// after Open, ends that, and the next commit enters what was unrouted until then.
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

// loseUnroutedLocked notes that a record was unrouted.
func (s *Store) loseUnroutedLocked(it *item, now time.Duration) {
	if len(s.unrouted.pending) == 0 {
		s.unrouted.since = now
	}
	s.unrouted.pending = merge(s.unrouted.pending, it.segment.removal(it, reasonUnrouted))
}

// unroutedDueLocked reports whether what was unrouted needs a commit.
func (s *Store) unroutedDueLocked(now time.Duration) bool {
	return len(s.unrouted.pending) > 0 && (s.closing || now >= s.unrouted.since+unroutedDelay)
}

// enterUnroutedLocked adds what was unrouted to the removals of the commit that is being built, if
// it is time for that or flush asks for it.
func (s *Store) enterUnroutedLocked(flush bool, now time.Duration) {
	if len(s.unrouted.pending) == 0 || !flush && now < s.unrouted.share && !s.unroutedDueLocked(now) {
		return
	}
	for _, r := range s.unrouted.pending {
		s.loseLocked(r, now)
	}
	s.unrouted.pending, s.unrouted.share = nil, now+unroutedDelay
}
