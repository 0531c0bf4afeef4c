package buffer

import "time"

// Stats is a snapshot. Depths count unacknowledged records, including those in flight.
type Stats struct {
	Events   int64
	Live     int64
	Backlog  int64
	InFlight int64
	Front    int64 // unacknowledged records that are in RAM only
	Losses   int64 // entries of the ledger
	Dead     int64 // dead letters

	EventBytes int64 // of the events that wait, as they are stored, or in RAM

	Priorities [3]int64 // unacknowledged readings, low, normal and high

	Full     bool   // readings find no room: they are rejected, or the oldest are removed from RAM
	Limit    string // the option that limits the readings: "max_bytes" or "min_free"; "" before the first commit
	NoRoom   bool   // what is in RAM only could not be stored: max_loss does not hold
	Bytes    int64  // database, log, ballast and front
	LogBytes int64  // of them, the log's
	MaxBytes int64

	OldestKernel string        // Record.Kernel of the oldest unacknowledged reading
	OldestUp     time.Duration // of the same
	HasOldest    bool          // false if there is none, or it was not read yet

	Appended uint64 // readings; since Open, as are all below
	Acked    uint64 // readings
	Evicted  uint64
	Expired  uint64
	Thinned  uint64 // readings that became part of a bucket
	Rejected uint64
	Refused  uint64
	Corrupt  uint64

	Commits      uint64
	WrittenBytes uint64        // handed to the kernel by SQLite; 0 if it cannot be known
	LastCommit   time.Duration // how long it took
	Overruns     uint64        // commits that ended later than MaxLoss after a record of theirs

	// Degraded is why the store does not commit; nil means it does.
	Degraded error
}

// Stats returns a snapshot without touching the disk.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Events = s.shelves[eventClass].depth
	for i, l := range s.shelves[:eventClass] {
		st.Live += l.live
		st.Backlog += l.depth - l.live
		st.Priorities[i] = l.depth
	}
	st.InFlight = s.inFlight
	st.Losses = s.losses.rows - int64(len(s.losses.acked))
	st.MaxBytes = s.o.MaxBytes
	st.Degraded = s.degraded
	st.Full = s.full[normalClass]
	st.NoRoom = s.noRoom
	for i := range s.shelves {
		for _, seg := range s.shelves[i].unstored() {
			st.Front += int64(seg.left)
			if class(i) == eventClass {
				st.EventBytes += int64(seg.cost)
			}
		}
	}
	st.Bytes += int64(s.front)
	oldest := s.next
	for i := range s.shelves[:eventClass] {
		if seg, it := s.shelves[i].oldest(); it != nil && it.pos < oldest {
			st.OldestKernel, st.OldestUp, st.HasOldest = seg.run.kernel, it.up, true
			oldest = it.pos
		}
	}
	return st
}

// oldest returns the first unacknowledged record, or nil if there is none or if it was not read
// yet.
func (sh *shelf) oldest() (*segment, *item) {
	for _, seg := range sh.segments {
		if sh.gap() && seg.id >= sh.gapLo || sh.passed.before(seg.id) {
			break
		}
		if seg.left == 0 {
			continue
		}
		for _, it := range seg.items {
			if it.state != done {
				return seg, it
			}
		}
	}
	return nil, nil
}
