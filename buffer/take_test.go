package buffer

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// ready reports whether there is a value in Ready, and takes it.
func ready(s *Store) bool {
	select {
	case <-s.Ready():
		return true
	default:
		return false
	}
}

// Whoever waits for Ready learns of what can be taken again, or from another queue.
func TestReady(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	mustAppend(t, s, Readings, "a", "x")
	if !ready(s) {
		t.Error("not ready after Append")
	}
	r := s.Take(LiveLane, 9, 99)
	if ready(s) {
		t.Error("ready although all is taken")
	}
	if s.Release(r); !ready(s) {
		t.Error("not ready after Release")
	}
	if s.Split(); !ready(s) {
		t.Error("not ready after Split")
	}
	if got := seqs(s.Take(BacklogLane, 9, 99)); got != "a/1/1=x" {
		t.Errorf("got %s", got)
	}
}

// Take that comes to nothing but expired segments returns nothing, and Ready says that there is
// more.
func TestReadyBehindExpired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	now := time.Hour
	o := Options{MaxLoss: time.Hour, KernelBoot: "kernel", Up: func() time.Duration { return now },
		Streams: map[string]StreamOptions{"short": {TTL: time.Minute}}}
	s := openAt(t, path, o)
	for range 3 * maxLoads {
		if _, err := s.Append(t.Context(), Readings, "short", now, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, Readings, "long", "x")
	closeStore(t, s)
	now += time.Hour
	s = openAt(t, path, o)
	defer closeStore(t, s)
	for n := 1; ; n++ {
		for ready(s) {
		}
		if got := seqs(s.Take(BacklogLane, 9, 99)); got == "long/1/1=x" {
			if n < 3 {
				t.Errorf("one Take reads %d segments", 3*maxLoads/n)
			}
			return
		} else if got != "" {
			t.Fatalf("got %s", got)
		}
		if !ready(s) {
			t.Fatalf("not ready after %d times", n)
		}
	}
}

// An acknowledgement that has no commit to share is stored after 5 seconds, and many of them are at
// once.
func TestAckIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{MaxLoss: time.Hour, Up: func() time.Duration { return time.Since(begin) }})
		defer closeStore(t, s)
		for range 2 * maxDirty {
			mustAppend(t, s, Readings, "a", "x")
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Split()
		ack := func(n int, wait time.Duration) int64 {
			t.Helper()
			var r []Record
			for len(r) < n {
				more := s.Take(BacklogLane, n-len(r), 1<<20)
				if len(more) == 0 {
					t.Fatalf("took %d of %d", len(r), n)
				}
				r = append(r, more...)
			}
			synctest.Wait()
			s.Ack(r)
			time.Sleep(wait)
			synctest.Wait()
			return rows(t, s, tables[normalClass])
		}
		if n := ack(1, 4900*time.Millisecond); n != 2*maxDirty {
			t.Errorf("%d segments, want %d: it was stored too soon", n, 2*maxDirty)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n := rows(t, s, tables[normalClass]); n != 2*maxDirty-1 {
			t.Errorf("%d segments after 5 seconds, want %d", n, 2*maxDirty-1)
		}
		if n := ack(maxDirty, 0); n != maxDirty-1 {
			t.Errorf("%d segments left at once, want %d", n, maxDirty-1)
		}
	})
}
