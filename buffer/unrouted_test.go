package buffer

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// unroute delivers to nobody all that can be taken.
func unroute(s *Store) {
	for _, lane := range []Lane{LiveLane, BacklogLane} {
		s.AckUnrouted(s.Take(lane, 1000, 1<<20))
	}
}

// ledger takes all losses and shows them.
func ledger(s *Store) (out string) {
	for _, l := range s.TakeLosses(1000) {
		out += fmt.Sprintf("%s %s/%d %d-%d (%d); ", l.Reason, l.Stream, number(l.Run), l.First, l.Last, l.Count)
	}
	return out
}

// What nobody got makes no commit of its own before 5 minutes, and then one; what comes later joins
// a commit that happens anyway, 5 minutes after the last time at the earliest, for else each
// telling would make the next one.
func TestUnroutedIsLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{Up: func() time.Duration { return time.Hour + time.Since(begin) }, MaxLoss: time.Second})
		defer closeStore(t, s)
		pass := func(d time.Duration) uint64 {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			return s.Stats().Commits
		}
		before := s.Stats().Commits
		for i := range 299 {
			mustAppend(t, s, Readings, "a", "x")
			unroute(s)
			if n := pass(time.Second); n != before {
				t.Fatalf("%d commits within %d s", n-before, i+1)
			}
		}
		if n := pass(2 * time.Second); n != before+1 {
			t.Errorf("%d commits after 5 minutes, want one", n-before)
		}
		if st := s.Stats(); st.Acked != 299 || st.Live != 0 || st.Losses != 1 {
			t.Errorf("%+v", st)
		}
		if got := ledger(s); got != "unrouted a/1 1-299 (299); " {
			t.Errorf("ledger: %s", got)
		}
		// The commits of others, such as those that tell of it.
		for i := range 299 {
			mustAppend(t, s, Readings, "a", "x")
			unroute(s)
			if err := s.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if pass(time.Second); ledger(s) != "" {
				t.Fatalf("it is in the ledger again after %d s", i)
			}
		}
		pass(2 * time.Second)
		if got := ledger(s); got != "unrouted a/1 300-598 (299); " {
			t.Errorf("ledger: %s", got)
		}
		pass(10 * time.Minute)
		mustAppend(t, s, Readings, "a", "x")
		unroute(s)
		if err := s.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got := ledger(s); got != "unrouted a/1 599-599 (1); " {
			t.Errorf("a commit 10 minutes later did not take it along: %s", got)
		}
	})
}

// The committer is woken for it where nothing else wakes it.
func TestUnroutedIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{Up: func() time.Duration { return time.Since(begin) }, MaxLoss: 10 * time.Hour})
		defer closeStore(t, s)
		synctest.Wait()
		mustAppend(t, s, Readings, "a", "x")
		unroute(s)
		time.Sleep(unroutedDelay)
		synctest.Wait()
		if n := s.Stats().Losses; n != 1 {
			t.Errorf("%d entries after 5 minutes", n)
		}
	})
}

// Held entries are not told and go on growing; when that ends the next commit takes along what is
// in RAM.
func TestHeldLossesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{Up: func() time.Duration { return time.Hour + time.Since(begin) }, MaxLoss: time.Second})
		defer closeStore(t, s)
		s.HoldLosses(true)
		for range 3 * 3600 {
			mustAppend(t, s, Readings, "a", "x")
			mustAppend(t, s, Readings, "b", "x")
			unroute(s)
			time.Sleep(time.Second)
			synctest.Wait() // what is due at this instant comes before the next reading
			if l := s.TakeLosses(9); l != nil {
				t.Fatalf("told: %+v", l)
			}
		}
		if st := s.Stats(); st.Losses != 2 || st.Commits > 40 {
			t.Errorf("%d entries and %d commits in 3 hours", st.Losses, st.Commits)
		}
		for ready(s) {
		}
		if s.HoldLosses(false); !ready(s) {
			t.Error("not ready after the hold")
		}
		if err := s.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got := ledger(s); got != "unrouted a/1 1-10800 (10800); unrouted b/1 1-10800 (10800); " {
			t.Errorf("ledger: %s", got)
		}
	})
}

// Close and Flush enter what nobody got; a crash forgets that, and nothing else.
func TestUnroutedOverTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, s *Store, path string) string
		want string
	}{
		{"close", func(t *testing.T, s *Store, path string) string { closeStore(t, s); return path }, "unrouted a/1 1-6 (6); "},
		{"flush and crash", func(t *testing.T, s *Store, path string) string {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			return crash(t, s, path)
		}, "unrouted a/1 1-6 (6); "},
		{"crash", func(t *testing.T, s *Store, path string) string { return crash(t, s, path) }, "unrouted a/1 1-3 (3); "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			s := openAt(t, path, Options{MaxLoss: time.Hour})
			for range 4 { // stored, then in RAM
				mustAppend(t, s, Readings, "a", "x")
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, s, Readings, "a", "x")
			mustAppend(t, s, Readings, "a", "x")
			r := s.Take(LiveLane, 6, 100)
			s.AckUnrouted(r[:3])
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.AckUnrouted(r[3:])
			mustAppend(t, s, Readings, "a", "kept")
			s = openAt(t, tt.end(t, s, path), Options{MaxLoss: time.Hour})
			defer closeStore(t, s)
			if got := ledger(s); got != tt.want {
				t.Errorf("ledger: %q, want %q", got, tt.want)
			}
			if got := seqs(s.Take(BacklogLane, 9, 100)); tt.name != "crash" && got != "a/1/7=kept" || tt.name == "crash" && got != "a/1/4=x a/1/5=x a/1/6=x" {
				t.Errorf("backlog: %s", got)
			}
		})
	}
}

// Ranges that cannot grow together are merged all the same when there are many: then their count is
// less than the range.
func TestUnroutedIsBounded(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	const n = 4 * maxRemovals
	for range n {
		mustAppend(t, s, Readings, "a", "x")
	}
	r := s.Take(LiveLane, n, 1<<20)
	for i := range r {
		if i%2 == 0 {
			s.AckUnrouted(r[i : i+1])
		} else {
			s.Ack(r[i : i+1])
		}
	}
	s.mu.Lock()
	if got := len(s.unrouted.pending); got != maxRemovals {
		t.Errorf("%d ranges are pending, want %d", got, maxRemovals)
	}
	s.mu.Unlock()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	count, last := uint64(0), uint64(0)
	for _, l := range s.TakeLosses(1000) {
		count, last = count+l.Count, max(last, l.Last)
	}
	if count != n/2 || last != n-1 {
		t.Errorf("the ledger has %d up to %d, want %d up to %d", count, last, n/2, n-1)
	}
}
