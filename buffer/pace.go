package buffer

import "time"

const (
	// ackDelay is how long an acknowledgement waits for a commit to share.
	ackDelay = 5 * time.Second

	// slowFor is how long the time that a commit took counts at least.
	slowFor = 30 * time.Minute
)

// slowness remembers the slowest commit of the last slowFor to twice that, however many commits
// there were: a card that collects its garbage every few minutes will be as slow again. Store.mu
// guards it.
type slowness struct {
	now, before time.Duration // the slowest from since on, and of slowFor before it
	since       time.Duration
}

func (l *slowness) note(took, now time.Duration) {
	switch age := now - l.since; {
	case age >= 2*slowFor:
		*l = slowness{since: now}
	case age >= slowFor:
		*l = slowness{before: l.now, since: l.since + slowFor}
	}
	l.now = max(l.now, took)
}

func (l *slowness) slowest() time.Duration { return max(l.now, l.before) }

// CommitAfter returns the age of a record in RAM at which a commit starts, if the slowest recent
// commit took slowest. The rest of maxLoss is for the commit: twice slowest, but at least half a
// second and at least a tenth of maxLoss, and at most half of maxLoss.
func CommitAfter(maxLoss, slowest time.Duration) time.Duration {
	return maxLoss - min(max(2*slowest, maxLoss/10, 500*time.Millisecond), maxLoss/2)
}

// mayWaitLocked is CommitAfter for this store now.
func (s *Store) mayWaitLocked() time.Duration { return CommitAfter(s.o.MaxLoss, s.slow.slowest()) }

// storedBeforeLocked reports whether something of the front was durable in a file that was replaced
// since.
func (s *Store) storedBeforeLocked() bool {
	for i := range s.shelves {
		for _, seg := range s.shelves[i].unstored() {
			if seg.left > 0 {
				if seg.id < s.replaced {
					return true
				}
				break
			}
		}
	}
	return false
}

// dueLocked returns how long the next commit can wait.
func (s *Store) dueLocked(now time.Duration) time.Duration {
	if len(s.writes) > 0 {
		return 0
	}
	at := now + time.Hour
	if oldest := s.oldestFrontLocked(); oldest >= 0 {
		if at = min(at, oldest+s.mayWaitLocked()); s.front >= s.limits.commit || s.storedBeforeLocked() {
			at = now
		}
		at = max(at, s.retryAt)
	}
	if len(s.removed) > 0 {
		at = min(at, s.lossAt+s.mayWaitLocked())
	}
	if s.dirty > 0 || len(s.losses.acked) > 0 {
		at = min(at, s.dirtyAt+ackDelay)
	}
	if len(s.unrouted.pending) > 0 {
		at = min(at, s.unrouted.since+unroutedDelay)
	}
	if s.tooDirtyLocked() || s.expire {
		at = now
	}
	if s.degraded != nil {
		at = max(at, s.retryAt)
	}
	if s.unopened {
		at = s.retryAt
	}
	s.timerAt = at
	return at - now
}
