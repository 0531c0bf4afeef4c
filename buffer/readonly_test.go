package buffer

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readOnlyDir mounts a file system and returns a function that makes it read-only, or writable
// again.
func readOnlyDir(t *testing.T) (dir string, readOnly func(bool)) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, func(is bool) {
		t.Helper()
		flags := uintptr(unix.MS_REMOUNT)
		if is {
			flags |= unix.MS_RDONLY
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", flags, "size=16m"); err != nil {
			t.Fatal(err)
		}
	}
}

// A store on a card that is read-only when the program starts works from RAM and says why; as soon
// as the card can be written it takes its place in the chain of runs, and nothing is lost or
// numbered twice.
func TestReadOnlyAtTheStart(t *testing.T) {
	for _, policy := range []Policy{DropOldest, RejectNew} {
		for _, before := range []bool{true, false} {
			dir, readOnly := readOnlyDir(t)
			path := filepath.Join(dir, "queue.db")
			o := Options{MaxLoss: time.Hour, MaxBytes: 2 << 20, WhenFull: policy, Gateway: "gw", KernelBoot: "k"}
			first := ""
			if before {
				s := openAt(t, path, o)
				first = s.Run()
				for range 3 {
					mustAppend(t, s, Readings, "a", "before")
				}
				closeStore(t, s)
			}
			readOnly(true)
			now := newHands()
			o.Up = now.read
			s := openAt(t, path, o)
			if st := s.Stats(); s.IsOpen() || len(s.Run()) != 12 || s.ID() != "" || !errors.Is(st.Degraded, unix.EROFS) {
				t.Fatalf("open %v, run %q, id %q, degraded %v", s.IsOpen(), s.Run(), s.ID(), st.Degraded)
			}
			mustAppend(t, s, Readings, "a", "1")
			mustAppend(t, s, Readings, "a", "2")
			mustAppend(t, s, Events, "e", "1")
			held := s.Take(LiveLane, 1, 99)
			if len(held) != 1 || string(held[0].Body) != "1" || held[0].Run != s.Run() || held[0].Gateway != "gw" {
				t.Fatalf("took %+v", held)
			}
			if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put("b", "k", []byte("v")) }); !errors.Is(err, ErrNotDurable) {
				t.Errorf("update: %v", err)
			}
			if _, err := s.Get(t.Context(), "b", "k"); !errors.Is(err, ErrNotDurable) {
				t.Errorf("get: %v", err)
			}
			readOnly(false)
			now.turn(time.Hour)
			s.wakeCommitter()
			eventually(t, "it is open", func() bool { return s.IsOpen() && s.Stats().Degraded == nil })
			if p := s.Previous(); p.Run != first || p.Exists != before || p.Clean != before {
				t.Errorf("previous %+v", p)
			}
			s.Ack(held)
			mustAppend(t, s, Readings, "a", "3")
			if got, want := seqs(s.Take(BacklogLane, 9, 99)), map[bool]string{true: "a/1/1=before a/1/2=before a/1/3=before"}[before]; got != want {
				t.Errorf("backlog: got %s, want %s", got, want)
			}
			r := s.Take(LiveLane, 9, 99)
			if len(r) != 2 || r[0].Seq != 2 || r[1].Seq != 3 {
				t.Errorf("live: got %s", seqs(r))
			}
			s.Release(r)
			run := s.Run()
			closeStore(t, s)
			s = openAt(t, path, o)
			if p := s.Previous(); p.Run != run || !p.Clean || p.Last["a"] != 3 || p.LastEvents["e"] != 1 || p.Gateway != "gw" {
				t.Errorf("previous %+v", p)
			}
			if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		}
	}
}

// A card that turns read-only in use: readings are taken in and delivered from RAM, degraded says
// why, and afterwards everything is stored.
func TestReadOnlyInUse(t *testing.T) {
	dir, readOnly := readOnlyDir(t)
	path := filepath.Join(dir, "queue.db")
	now := newHands()
	s := openAt(t, path, Options{MaxLoss: time.Second, MaxBytes: 2 << 20, Up: now.read})
	later := func(d time.Duration) {
		now.turn(d)
		s.wakeCommitter()
	}
	mustAppend(t, s, Readings, "a", "1")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What is open for writing keeps a file system from becoming read-only; after an error of the
	// disk it becomes so all the same.
	if err := s.submit(t.Context(), &job{read: func(c *committer) error { c.disconnect(); return c.lock.Close() }}); err != nil {
		t.Fatal(err)
	}
	readOnly(true)
	mustAppend(t, s, Readings, "a", "2")
	later(2 * time.Second)
	eventually(t, "it is degraded", func() bool { return s.Stats().Degraded != nil })
	if err := s.Stats().Degraded; !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "remount") {
		t.Errorf("degraded: %v", err)
	}
	r := s.Take(LiveLane, 9, 99)
	if len(r) == 0 || string(r[len(r)-1].Body) != "2" {
		t.Errorf("took %s", seqs(r))
	}
	s.Release(r)
	mustAppend(t, s, Readings, "a", "3")
	readOnly(false)
	later(2 * time.Minute)
	eventually(t, "it is durable again", func() bool { later(time.Second); return s.Flush(t.Context()) == nil && s.Stats().Degraded == nil })
	closeStore(t, s)
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if got := seqs(s.Take(BacklogLane, 9, 99)); got != "a/1/1=1 a/1/2=2 a/1/3=3" {
		t.Errorf("found %s", got)
	}
}
