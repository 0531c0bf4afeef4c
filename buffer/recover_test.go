package buffer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// away makes the storage of a store fail until the function is called that it returns.
func away(t *testing.T, s *Store) (back func()) {
	t.Helper()
	if err := s.submit(t.Context(), &job{read: func(c *committer) error { c.disconnect(); return nil }}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(s.path, s.path+".away"), os.Mkdir(s.path, 0o700)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(os.Remove(s.path), os.Rename(s.path+".away", s.path)); err != nil {
			t.Fatal(err)
		}
	}
}

// What a strict Append could not store can be taken from RAM, and is stored when the storage works
// again.
func TestStrictAppendWhileDegraded(t *testing.T) {
	s := newStore(t, Options{})
	back := away(t, s)
	if seq, err := s.Append(t.Context(), Readings, "a", 0, []byte("x")); seq != 1 || !errors.Is(err, ErrNotDurable) {
		t.Errorf("append: %d, %v", seq, err)
	}
	r := s.Take(LiveLane, 9, 99)
	if got := seqs(r); got != "a/1/1=x" {
		t.Errorf("got %q", got)
	}
	s.Release(r)
	back()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, tables[normalClass]); n != 1 {
		t.Errorf("%d segments", n)
	}
}

// A storage that fails is tried again after 1 s to 1 min.
func TestPausesWhileDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := openAt(t, t.TempDir()+"/queue.db", Options{MaxLoss: time.Second, Up: func() time.Duration { return time.Since(begin) }})
		defer closeStore(t, s)
		back := away(t, s)
		mustAppend(t, s, Readings, "a", "x")
		var pauses []time.Duration
		for last := time.Duration(0); len(pauses) < 8; time.Sleep(100 * time.Millisecond) {
			synctest.Wait()
			s.mu.Lock()
			at := s.retryAt
			s.mu.Unlock()
			if at != last && last > 0 {
				pauses = append(pauses, at-last)
			}
			last = at
		}
		want := []time.Duration{2, 4, 8, 16, 32, 60, 60, 60}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		back()
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := s.Stats(); st.Degraded != nil || st.Front > 0 {
			t.Errorf("a minute after it works again: %+v", st)
		}
	})
}

// A store whose damage cannot be dealt with in use is set aside by the next Open.
func TestDamageIsMarked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	mustAppend(t, s, Readings, "a", "x")
	if err := s.submit(t.Context(), &job{read: func(c *committer) error { c.degrade(errBadState); return nil }}); err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if o := salvaged(t, s); o.SetAside == "" || o.Salvaged != 1 {
		t.Errorf("%+v", o)
	}
}

// A store that is damaged again at once is not replaced again: the one that is being salvaged would
// be removed.
func TestDamagedAgainAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20})
	fill(t, s, 1000)
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		if err := c.replace(errBadState); err != nil {
			return err
		}
		if c.replace(errBadState) == nil {
			return errors.New("replaced twice")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Opened().SetAside); err != nil {
		t.Error(err)
	}
	s.Close(t.Context())
}

// The store is found damaged when it is opened again after a commit that failed: what that commit
// had from RAM is not lost with it.
func TestDamagedAfterAFailedCommit(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20})
	for range 3 {
		mustAppend(t, s, Readings, "a", "x")
	}
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		s.mu.Lock()
		seg := s.shelves[normalClass].unstored()[0]
		s.loseItemLocked(seg, seg.items[0], reasonEvicted, 0)
		s.mu.Unlock()
		t := &txn{n: c.n, open: make(map[lossKey]Loss), oldest: -1}
		var rounds []*round
		if err := c.db.begin(); err != nil {
			return err
		}
		c.build(t, nil, nil, &rounds)
		if err := c.write(t); err != nil {
			return err
		}
		c.db.rollback()
		c.inDoubt = t
		return c.replace(errBadState)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	salvaged(t, s)
	lost := ""
	for _, l := range s.TakeLosses(9) {
		if l.Reason == reasonEvicted {
			lost += fmt.Sprintf("%s/%d/%d-%d", l.Stream, number(l.Run), l.First, l.Last)
		}
	}
	if got := seqs(s.Take(LiveLane, 9, 99)); got != "a/1/2=x a/1/3=x" || lost != "a/1/1-1" {
		t.Errorf("got %s, lost %s", got, lost)
	}
}

// Of a store that is replaced in use nothing is lost that can be read or is in RAM, also where its
// list of boots is lost.
func TestReplacedInUse(t *testing.T) {
	for _, tt := range []struct{ name, damage string }{
		{"all can be read", "SELECT 1"},
		{"without its runs", "DELETE FROM run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20})
			fill(t, s, 1000)
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Ack(s.Take(LiveLane, 5, 1<<20)) // not stored
			err := s.submit(t.Context(), &job{read: func(c *committer) error {
				return errors.Join(c.db.exec(tt.damage), c.replace(errBadState))
			}})
			if err != nil {
				t.Fatal(err)
			}
			o := salvaged(t, s)
			if st := s.Stats(); o.Lost != 0 || st.Live+st.Backlog != 995 {
				t.Errorf("%+v, %d readings", o, st.Live+st.Backlog)
			}
			if l := s.TakeLosses(9); len(l) > 0 {
				t.Errorf("losses %+v", l)
			}
		})
	}
}
