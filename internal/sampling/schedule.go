package sampling

import "time"

const (
	// coarse is the interval below which a wake-up may be late by whole intervals.
	coarse = 5 * time.Millisecond
	// tick is the shortest time between two wake-ups.
	tick = time.Millisecond
	// catchUp is how far behind a coarse schedule may be without losing readings.
	catchUp = 50 * time.Millisecond
)

// A schedule says when to read. Its times are since power-up.
type schedule struct {
	every time.Duration // 0: at any time
	next  time.Duration // when the next reading is due
}

// align returns the schedule of the whole multiples of every, as the wall clock shows them at up.
func align(every, up time.Duration, wall time.Time) schedule {
	if every <= 0 {
		return schedule{next: up}
	}
	past := time.Duration(wall.UnixNano()) % every
	if past < 0 { // before 1970
		past += every
	}
	return schedule{every: every, next: up + every - past}
}

// wake returns when to look for readings that are due.
func (s *schedule) wake() time.Duration {
	if s.every == 0 || s.every >= tick {
		return s.next
	}
	return s.next + tick - s.every
}

// due returns how many readings to make at now, and how many were missed. It counts both as done.
func (s *schedule) due(now time.Duration) (n int, missed uint64) {
	if now < s.next {
		return 0, 0
	}
	if s.every == 0 {
		s.next = now
		return 1, 0
	}
	due, limit := int64((now-s.next)/s.every)+1, int64(1)
	if s.every < coarse {
		limit = int64(catchUp / s.every)
	}
	s.next += time.Duration(due) * s.every
	n = int(min(due, limit))
	return n, uint64(due - int64(n))
}

// skip gives up the readings that became due while another was made, and returns how many they are.
// A coarse schedule makes up for them instead.
func (s *schedule) skip(now time.Duration) (missed uint64) {
	if s.every < coarse || now < s.next {
		return 0
	}
	n := (now-s.next)/s.every + 1
	s.next += n * s.every
	return uint64(n)
}
