package buffer

import "time"

// Stats is a snapshot of a Store.
type Stats struct {
	// Unacknowledged records. Those in flight are also among Events, Live and Backlog.
	Events     int64
	Live       int64 // readings
	Backlog    int64 // readings
	InFlight   int64
	Front      int64    // in RAM only
	Priorities [3]int64 // readings of priority Low, Normal and High

	Losses     int64 // entries of the ledger
	Dead       int64 // dead letters
	EventBytes int64 // of the unacknowledged events, as they are stored or in RAM

	// Full means that readings find no room: by the policy they are rejected, or the oldest are
	// removed from RAM.
	Full bool

	// Limit is the option that limits the readings now: "max_bytes" for MaxBytes, "min_free" for
	// MinFree, "" before the first commit.
	Limit string

	NoRoom   bool  // the last commit left records in RAM for lack of room: MaxLoss does not hold
	Bytes    int64 // size of the database, log, ballast and front
	LogBytes int64 // the part of the log in Bytes
	MaxBytes int64 // Options.MaxBytes, or its default

	OldestKernel string        // Record.Kernel of the oldest unacknowledged reading
	OldestUp     time.Duration // Record.Up of the same
	HasOldest    bool          // false if there is no such reading, or if it was not read yet

	// Records since Open, by what happened to them; see Loss.Reason.
	Appended uint64 // readings that Append accepted
	Acked    uint64 // readings
	Evicted  uint64
	Expired  uint64
	Thinned  uint64 // readings that became part of a bucket
	Rejected uint64
	Refused  uint64
	Corrupt  uint64

	// Commits since Open.
	Commits      uint64
	WrittenBytes uint64        // passed to the kernel by SQLite; 0 if that cannot be determined
	LastCommit   time.Duration // duration of the last one
	Overruns     uint64        // commits that ended more than MaxLoss after their oldest record

	// Degraded is why the store does not commit; nil if it does.
	Degraded error
}

// Stats returns a snapshot. It does not access the file, and works after Close as well.
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
