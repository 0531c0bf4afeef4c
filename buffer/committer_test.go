package buffer

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCommitAfter(t *testing.T) {
	for _, tt := range []struct{ maxLoss, slowest, want time.Duration }{
		{0, 0, 0},
		{0, time.Second, 0},
		{time.Second, 0, 500 * time.Millisecond},
		{100 * time.Millisecond, 0, 50 * time.Millisecond},
		{2 * time.Second, 0, 1500 * time.Millisecond},
		{10 * time.Second, 0, 9 * time.Second},
		{10 * time.Second, 500 * time.Millisecond, 9 * time.Second},
		{10 * time.Second, 2 * time.Second, 6 * time.Second},
		{10 * time.Second, time.Minute, 5 * time.Second},
		{time.Hour, 0, 54 * time.Minute},
	} {
		if got := CommitAfter(tt.maxLoss, tt.slowest); got != tt.want {
			t.Errorf("MaxLoss %v, slowest %v: got %v, want %v", tt.maxLoss, tt.slowest, got, tt.want)
		}
	}
}

// A commit starts as late as it may, earlier after one that was slow, and as
// late again some commits later.
func TestCommitIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{MaxLoss: 10 * time.Second, Now: func() time.Duration { return time.Since(begin) }})
		defer closeStore(t, s)
		after := func() time.Duration {
			t.Helper()
			start, before := time.Now(), s.Stats().Commits
			mustAppend(t, s, Readings, "a", "x")
			for s.Stats().Commits == before {
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				if time.Since(start) > time.Minute {
					t.Fatal("no commit")
				}
			}
			return time.Since(start)
		}
		if got := after(); got != 9*time.Second {
			t.Errorf("the first commit after %v", got)
		}
		if err := s.Update(t.Context(), func(*Tx) error { time.Sleep(2 * time.Second); return nil }); err != nil {
			t.Fatal(err)
		}
		if got := after(); got != 6*time.Second {
			t.Errorf("after a commit of 2 s: the next one after %v", got)
		}
		for range 30 {
			after()
		}
		if got := after(); got != 9*time.Second {
			t.Errorf("30 commits later: after %v", got)
		}
	})
}

// Close makes the front durable before it copies the log, which takes its time.
func TestCloseCommitsFirst(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "queue.db"), filepath.Join(t.TempDir(), "queue.db")
	var before atomic.Int64 // bytes of the database when Close began
	copied := false
	s := openAt(t, path, Options{MaxLoss: time.Hour, Now: func() time.Duration {
		if n := before.Load(); n > 0 && !copied && fileSize(path) > n { // the first look at the clock after the log was copied
			copied = true
			if err := copyStore(path, to); err != nil {
				t.Error(err)
			}
		}
		return bootTime()
	}})
	fill(t, s, 1000)
	mustAppend(t, s, Readings, "last", "x")
	before.Store(fileSize(path))
	closeStore(t, s)
	if !copied {
		t.Fatal("the log was not copied before the last commit")
	}
	s = openAt(t, to, Options{})
	defer closeStore(t, s)
	if s.Previous().Last["last"] != 1 {
		t.Errorf("a cut right after the log was copied: %+v", s.Previous())
	}
}
