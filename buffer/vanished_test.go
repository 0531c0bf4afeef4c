package buffer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The files of the store lose their names while it is in use: nothing is lost, neither what only
// the disk had nor what is in RAM.
func TestFilesVanishInUse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		vanish func(path string) error
	}{
		{"database and log are removed", func(path string) error {
			return os.Remove(path + "-wal")
		}},
		{"the database is removed", os.Remove},
		{"the log is removed", func(path string) error { return os.Remove(path + "-wal") }},
		{"an older copy takes the name", func(path string) error { return os.Rename(path+".old", path) }},
		{"everything is removed", func(path string) error {
			for _, suffix := range []string{"", "-wal", ".lock", ".ballast"} {
				if err := os.Remove(path + suffix); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			now := newHands()
			var log lockedText
			defer func() { t.Log(log.String()) }()
			o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20, Up: now.read, Log: textLog(&log)}
			s := openAt(t, path, o)
			id, run := s.ID(), s.Run()
			for i := range 2000 { // more than RAM keeps
				if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			copyFile(t, path, path+".old")
			mustAppend(t, s, Readings, "b", "in RAM")
			if strings.HasPrefix(tt.name, "database and log") {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.vanish(path); err != nil {
				t.Fatal(err)
			}
			now.turn(2 * lookEvery)
			s.wakeCommitter()
			eventually(t, "the files are there again", func() bool {
				is := namesAt(path)
				return is.database != (fileID{}) && is.log != (fileID{}) && identity(path+".lock") != (fileID{}) &&
					s.submit(t.Context(), &job{read: func(c *committer) error {
						if c.names != is {
							return errors.New("not yet")
						}
						return nil
					}}) == nil
			})
			mustAppend(t, s, Readings, "b", "later")
			if s.ID() != id || s.Run() != run || s.Stats().Degraded != nil {
				t.Errorf("store %s was %s, run %s was %s, %+v", s.ID(), id, s.Run(), run, s.Stats())
			}
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", st.Mode(), err)
			}
			closeStore(t, s)
			s = openAt(t, path, o)
			defer closeStore(t, s)
			if p := s.Previous(); p.Run != run || !p.Clean || p.Last["a"] != 2000 || p.Last["b"] != 2 {
				t.Errorf("previous %+v", p)
			}
			count := map[string]int{}
			for r, err := range s.Stored(t.Context(), Readings) {
				if err != nil {
					t.Fatal(err)
				}
				count[r.Stream]++
			}
			if fmt.Sprint(count) != "map[a:2000 b:2]" || s.Stats().Losses != 0 {
				t.Errorf("found %v, losses %+v", count, s.TakeLosses(9))
			}
			if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
				t.Error(err)
			}
		})
	}
}

// hands are those of a clock that a test turns on.
type hands struct{ at atomic.Int64 }

func newHands() *hands {
	h := new(hands)
	h.at.Store(1)
	return h
}

func (h *hands) read() time.Duration  { return time.Duration(h.at.Load()) }
func (h *hands) turn(d time.Duration) { h.at.Add(int64(d)) }

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A directory that went away and comes back: the store is degraded meanwhile, and nothing is lost.
func TestDirectoryVanishesInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "queue.db")
	s := openAt(t, path, Options{MaxBytes: 8 << 20})
	run := s.Run()
	mustAppend(t, s, Readings, "a", "x")
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.submit(t.Context(), &job{read: func(c *committer) error { c.lookAt = 0; return nil }}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is degraded", func() bool { return s.Stats().Degraded != nil })
	if text := s.Stats().Degraded.Error(); !strings.Contains(text, "removed or replaced") {
		t.Error(text)
	}
	_, _ = s.Append(t.Context(), Readings, "a", 0, []byte("y"))
	if s.Stats().Degraded == nil {
		t.Error("a commit to a file without a name makes it ok")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if p := s.Previous(); p.Run != run || p.Last["a"] != 2 {
		t.Errorf("previous %+v", p)
	}
	if got := seqs(s.Take(BacklogLane, 9, 999)); got != "a/1/1=x a/1/2=y" {
		t.Errorf("found %s", got)
	}
}

// Where neither the file nor a connection to it is left, a new store takes over what is in RAM, and
// the ledger says that the rest is not known.
func TestNothingIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	now := newHands()
	s := openAt(t, path, Options{MaxBytes: 8 << 20, Up: now.read})
	run := s.Run()
	mustAppend(t, s, Readings, "a", "x")
	away(t, s)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), Readings, "a", 0, []byte("y")); !errors.Is(err, ErrNotDurable) || !errors.Is(err, errVanished) {
		t.Errorf("append: %v", err)
	}
	eventually(t, "it is durable again", func() bool {
		now.turn(2 * lookEvery)
		return s.Flush(t.Context()) == nil && s.Stats().Degraded == nil
	})
	closeStore(t, s)
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if p := s.Previous(); p.Run != run || p.Last["a"] != 2 {
		t.Errorf("previous %+v", p)
	}
	// What is left of the salvage is done by the next run if the store was closed before its end.
	var losses []Loss
	eventually(t, "the ledger says that the rest is not known", func() bool {
		losses = s.TakeLosses(9)
		return len(losses) > 0
	})
	if losses[0].Reason != reasonCorrupt {
		t.Errorf("losses %+v", losses)
	}
}
