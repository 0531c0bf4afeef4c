package buffer

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// drained takes and acknowledges the whole backlog, in the order of the numbers of one stream, and
// returns how many readings there were.
func drained(t *testing.T, s *Store) (n int) {
	t.Helper()
	last := uint64(0)
	for r := s.Take(BacklogLane, 50, 1<<20); len(r) > 0; r = s.Take(BacklogLane, 50, 1<<20) {
		for _, x := range r {
			if n++; x.Seq <= last {
				t.Errorf("%d after %d", x.Seq, last)
			}
			last = x.Seq
		}
		s.Ack(r)
	}
	return n
}

// The counters of a store that took the place of a damaged one are right, with acknowledgements
// that were stored and others that were not.
func TestCountersAfterDamage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		inUse bool
	}{{"at Open", false}, {"in use", true}} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
			s := openAt(t, path, o)
			fill(t, s, 1001)
			var rest []Record
			ack := func(lane Lane) (n int) {
				t.Helper()
				var r []Record
				for i, x := range s.Take(lane, 100, 1<<20) {
					if i%3 == 0 {
						r = append(r, x)
					} else {
						rest = append(rest, x)
					}
				}
				s.Ack(r)
				return len(r)
			}
			s.mu.Lock()
			s.shelves[normalClass].split(980) // the last ones, which are resident, are live
			s.mu.Unlock()
			acked := ack(BacklogLane) + ack(LiveLane)
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Release(rest)
			if tt.inUse {
				r := s.Take(LiveLane, 12, 1<<20) // all of one segment at least
				acked += len(r)
				s.Ack(r)
				if err := s.submit(t.Context(), &job{read: func(c *committer) error { return c.replace(errBadState) }}); err != nil {
					t.Fatal(err)
				}
			} else {
				closeStore(t, s)
				damage(t, path)
				s = openAt(t, path, o)
			}
			if o := salvaged(t, s); o.Lost != 0 {
				t.Errorf("%+v", o)
			}
			s.Split()
			if n := drained(t, s); n != 1001-acked {
				t.Errorf("%d delivered, want %d", n, 1001-acked)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			if s.dirty != 0 || s.front != 0 {
				t.Errorf("%d segments have acknowledgements to store, front of %d bytes", s.dirty, s.front)
			}
			s.mu.Unlock()
			closeStore(t, s)
			s = openAt(t, path, o)
			defer closeStore(t, s)
			if n := s.Stats().Backlog; n != 0 {
				t.Errorf("%d left in an empty store", n)
			}
		})
	}
}

// A step of salvage that fails is repeated, after a pause.
func TestSalvageAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		path := t.TempDir() + "/queue.db"
		o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20, Up: func() time.Duration { return time.Since(begin) }}
		s := openAt(t, path, o)
		fill(t, s, 2000)
		var tries atomic.Int64
		err := s.submit(t.Context(), &job{read: func(c *committer) error {
			if err := c.replace(errBadState); err != nil {
				return err
			}
			c.db.conn.RegisterCommitHook(func() int {
				if n := tries.Add(1); n == 2 || n > 3 && n < 100 {
					return 1
				}
				return 0
			})
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if n := tries.Load(); n < 4 || n > 8 {
			t.Errorf("tried %d times in 25 seconds", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if o := s.Opened(); o.Salvaging || o.Lost != 0 {
			t.Errorf("%+v", o)
		}
		s.Split()
		if n := drained(t, s); n != 2000 {
			t.Errorf("%d delivered", n)
		}
		closeStore(t, s)
	})
}
