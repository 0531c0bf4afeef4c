package buffer

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// firstOf is an Options.First that says which run came before.
func firstOf(p Previous, store string, boot uint32) (string, []byte) {
	return "event", fmt.Appendf(nil, "%d after %d", boot, p.Boot)
}

// Each run has its first event, however soon it ends, and names the one before.
func TestFirstEventComesWithTheRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, First: firstOf}
	for range 3 {
		path = crash(t, openAt(t, path, o), path)
	}
	s := openAt(t, path, o)
	defer closeStore(t, s)
	mustAppend(t, s, Events, "event", "second")
	if p := s.Previous(); p.Boot != 3 || p.LastEvents["event"] != 1 {
		t.Errorf("previous %+v", p)
	}
	if got, want := seqs(s.Take(EventLane, 9, 999)), "event/1/1=1 after 0 event/2/1=2 after 1 event/3/1=3 after 2 event/4/1=4 after 3 event/4/2=second"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A store that is opened late gives its first event the next number.
func TestFirstEventOfALateOpen(t *testing.T) {
	dir, readOnly := readOnlyDir(t)
	path := filepath.Join(dir, "queue.db")
	readOnly(true)
	now := newHands()
	s := openAt(t, path, Options{MaxLoss: time.Hour, MaxBytes: 2 << 20, First: firstOf, Up: now.read})
	defer closeStore(t, s)
	for range 2 {
		mustAppend(t, s, Events, "event", "in RAM")
	}
	held := s.Take(EventLane, 1, 99)
	readOnly(false)
	now.turn(time.Hour)
	s.wakeCommitter()
	eventually(t, "it is open", s.IsOpen)
	mustAppend(t, s, Events, "event", "later")
	boots.Store(s.Run(), s.Boot())
	s.Release(held)
	if got, want := seqs(s.Take(EventLane, 9, 999)), "event/1/3=1 after 0 event/1/1=in RAM event/1/2=in RAM event/1/4=later"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
