package buffer

import (
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

// A commit starts as late as it may, and earlier after one that was slow: for half an hour at
// least, since a card that was slow once is again, and no longer than an hour.
func TestCommitIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{MaxLoss: 10 * time.Second, Up: func() time.Duration { return time.Since(begin) }})
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
		slow := func(took time.Duration) time.Time {
			t.Helper()
			if err := s.Update(t.Context(), func(*Tx) error { time.Sleep(took); return nil }); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		}
		if got := after(); got != 9*time.Second {
			t.Errorf("the first commit after %v", got)
		}
		for _, tt := range []struct {
			name  string
			pause time.Duration // between the commits that follow
		}{{"many commits", 0}, {"few commits", 20 * time.Minute}, {"no commit", 3 * time.Hour}} {
			at := slow(2 * time.Second)
			if got := after(); got != 6*time.Second {
				t.Errorf("%s: after one of 2 s the next one after %v", tt.name, got)
			}
			for time.Since(at) < 2*time.Hour {
				time.Sleep(tt.pause)
				age := time.Since(at)
				switch got := after(); {
				case age < 30*time.Minute && got != 6*time.Second, age > time.Hour+tt.pause && age < 3*time.Hour && got != 9*time.Second:
					t.Errorf("%s: %v after one of 2 s a commit after %v", tt.name, age, got)
				}
			}
			if got := after(); got != 9*time.Second {
				t.Errorf("%s: in the end a commit after %v", tt.name, got)
			}
		}
		if n := s.Stats().Overruns; n > 0 {
			t.Errorf("%d commits were late", n)
		}
	})
}
