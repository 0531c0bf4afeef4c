package buffer

import "time"

// Stats is a snapshot of a Store. Sizes are in bytes.
type Stats struct {
	// Unacknowledged records, including those in flight.
	Events  int64
	Live    int64 // readings
	Backlog int64 // readings

	InFlight int64 // records that were taken and not settled yet
	Front    int64 // unacknowledged records that are in RAM only
	Losses   int64 // entries of the ledger
	Dead     int64 // dead letters

	EventBytes int64 // of the events that wait: stored ones as stored, others as they are in RAM

	Priorities [3]int64 // unacknowledged readings of Low, Normal and High, in this order

	// Full reports that there is no room for readings: they are rejected, or the oldest are
	// removed.
	Full bool
	// Limit is the option that limits the readings, "max_bytes" or "min_free"; "" before the first
	// commit.
	Limit    string
	NoRoom   bool  // the last commit had no room for all of the front: MaxLoss does not hold
	Bytes    int64 // database, log, ballast and front
	LogBytes int64 // the share of the log in Bytes
	MaxBytes int64 // Options.MaxBytes, or its default

	OldestKernel string        // Record.Kernel of the oldest unacknowledged reading
	OldestUp     time.Duration // its Record.Up
	HasOldest    bool          // false if there is none, or it has not been read yet

	// Records since Open.
	Appended uint64 // readings only
	Acked    uint64 // readings only
	Evicted  uint64
	Expired  uint64
	Thinned  uint64 // readings that became part of a bucket
	Rejected uint64
	Refused  uint64
	Corrupt  uint64

	Commits      uint64        // since Open
	WrittenBytes uint64        // handed to the kernel by SQLite since Open; 0 if that is not known
	LastCommit   time.Duration // how long it took
	// Overruns is the number of commits since Open that ended when one of their records was older
	// than MaxLoss.
	Overruns uint64

	// Degraded is why the store does not commit; nil if it does.
	Degraded error
}

// Stats returns a snapshot. It does not wait for the card.
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
		if sh.hasUnloaded() && seg.id >= sh.unloadedLo || sh.passed.before(seg.id) {
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
