package buffer

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// Events beyond what is reserved for them give way to events, not readings.
func TestManyEvents(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes})
	for i := 0; s.Stats().Evicted == 0; i++ {
		flushed(t, s, noise(i, 1000))
	}
	readings, evicted := rows(t, s, tables[normalClass]), s.Stats().Evicted
	const events = 300
	for i := range events {
		mustAppend(t, s, Events, "event", string(noise(i, 1000)))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := rows(t, s, tables[normalClass]); n < readings*9/10 {
		t.Errorf("%d of %d readings left", n, readings)
	}
	left, lost := rows(t, s, tables[eventClass]), uint64(0)
	for _, l := range s.TakeLosses(1000) {
		if l.Kind == Events {
			lost += l.Count
		}
	}
	if left < MinMaxBytes/20/1100 || uint64(left)+lost != events || s.Stats().Evicted-evicted != lost+uint64(readings-rows(t, s, tables[normalClass])) {
		t.Errorf("%d of %d events left, %d in the ledger, %d evicted", left, events, lost, s.Stats().Evicted-evicted)
	}
}

// A store that events have filled takes a reading all the same: the oldest events beyond their
// reserve give way.
func TestReadingAfterManyEvents(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes})
	for i := 0; s.Stats().Evicted == 0; i++ {
		mustAppend(t, s, Events, "event", string(noise(i, 1000)))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flushed(t, s, noise(0, 1000))
	if n := rows(t, s, tables[normalClass]); n != 1 {
		t.Errorf("%d readings stored", n)
	}
}

// What is expired goes first, whatever its priority.
func TestExpiredGiveWayFirst(t *testing.T) {
	var clock atomic.Int64 // the committer looks at it too
	clock.Store(int64(time.Hour))
	now := func() time.Duration { return time.Duration(clock.Load()) }
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, Up: now,
		Streams: map[string]StreamOptions{"low": {Priority: Low}, "short": {Priority: High, TTL: time.Minute}}})
	add := func(stream string, n int) {
		t.Helper()
		for i := range n {
			if _, err := s.Append(t.Context(), Readings, stream, now(), noise(i, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("low", 200)
	add("short", 200)
	if st := s.Stats(); st.Evicted > 0 {
		t.Fatalf("full too soon: %+v", st)
	}
	clock.Add(int64(2 * time.Minute))
	add("low", 250)
	if st := s.Stats(); st.Evicted > 0 || st.Expired == 0 || st.Priorities[0] != 450 {
		t.Errorf("stats %+v", st)
	}
}

// Segments that are only on the disk are removed: the depths leave out what was acknowledged of
// them, and one that cannot be read is a loss of its records.
func TestEvictedFromTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes}
	s := openAt(t, path, o)
	fill(t, s, 301) // the first alone in its segment, ten in each that follows
	var acked, released []Record
	for i, r := range s.Take(BacklogLane, 100, 1<<20) {
		if i%3 == 0 {
			acked = append(acked, r)
		} else {
			released = append(released, r)
		}
	}
	s.Ack(acked)
	s.Release(released)
	closeStore(t, s)
	sqlite(t, path, "UPDATE readings SET body=zeroblob(10) WHERE id=152") // readings 152 to 161

	s = openAt(t, path, o)
	defer closeStore(t, s)
	more := 0
	for ; s.Stats().Evicted < 200 && more < 3000; more++ {
		flushed(t, s, noise(more, 1000))
	}
	lost := map[string]uint64{}
	for _, l := range s.TakeLosses(1000) {
		lost[l.Reason] += l.Count
	}
	st := s.Stats()
	if lost[reasonCorrupt] != 10 || lost[reasonEvicted] != st.Evicted || st.Corrupt != 10 {
		t.Errorf("ledger %v, stats %+v", lost, st)
	}
	if got, want := st.Backlog+st.Live, int64(301+more-len(acked))-int64(st.Evicted+st.Corrupt); got != want {
		t.Errorf("%d waiting, want %d", got, want)
	}
}

// A store that rejects new readings keeps those it took, also where what is stored is worth more
// and there is no room for them after all.
func TestRejectNewKeepsLowPriority(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, WhenFull: RejectNew,
		Streams: map[string]StreamOptions{"low": {Priority: Low}, "high": {Priority: High}}})
	mustAppend(t, s, Readings, "high", "x")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, Readings, "low", string(noise(0, 10_000)))
	err := s.submit(t.Context(), &job{read: func(c *committer) error { c.s.o.MinFree = 1 << 60; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, ErrNotDurable) {
		t.Errorf("flush: %v", err)
	}
	if st := s.Stats(); st.Front != 1 || st.Priorities[0] != 1 || st.Evicted > 0 {
		t.Errorf("stats %+v", st)
	}
}
