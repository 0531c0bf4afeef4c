package buffer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	boots.Store(s.Run(), s.Boot())
	boots.Store(s.Previous().Run, s.Previous().Boot)
	return s
}

var boots sync.Map // of runs that openAt has seen

// number returns the boot of a run: the tests write histories with small numbers.
func number(run string) uint32 {
	n, _ := boots.Load(run)
	boot, _ := n.(uint32)
	return boot
}

func newStore(t testing.TB, o Options) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), "queue.db"), o)
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func mustAppend(t testing.TB, s *Store, kind Kind, stream string, body string) uint64 {
	t.Helper()
	seq, err := s.Append(context.Background(), kind, stream, time.Second, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func seqs(r []Record) string {
	var b strings.Builder
	for _, x := range r {
		fmt.Fprintf(&b, "%s/%d/%d=%s ", x.Stream, number(x.Run), x.Seq, x.Body)
	}
	return strings.TrimSpace(b.String())
}

func TestOrderOverRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxLoss: time.Hour, KernelBoot: "kernel-1"})
	id := s.ID()
	if s.Previous().Exists || s.Boot() != 1 || len(id) != 8 {
		t.Fatalf("new store: previous %+v, boot %d, id %q", s.Previous(), s.Boot(), id)
	}
	mustAppend(t, s, Readings, "a", "one")
	mustAppend(t, s, Readings, "b", "two")
	mustAppend(t, s, Readings, "a", "three")
	mustAppend(t, s, Events, "event", "boot")
	if got, want := seqs(s.Take(LiveLane, 1, 1000)), "a/1/1=one"; got != want {
		t.Fatalf("live: got %s, want %s", got, want)
	}
	closeStore(t, s)

	s = openAt(t, path, Options{MaxLoss: time.Hour, KernelBoot: "kernel-2"})
	p := s.Previous()
	if !p.Clean || p.Boot != 1 || p.Last["a"] != 2 || p.Last["b"] != 1 || p.LastEvents["event"] != 1 || s.ID() != id || s.Boot() != 2 {
		t.Fatalf("previous %+v, id %s, boot %d", p, s.ID(), s.Boot())
	}
	mustAppend(t, s, Readings, "a", "four")
	if got, want := seqs(s.Take(LiveLane, 9, 1000)), "a/2/1=four"; got != want {
		t.Errorf("live: got %s, want %s", got, want)
	}
	r := s.Take(BacklogLane, 9, 1000)
	if r[0].Kernel != "kernel-1" || r[0].Run != p.Run || p.Run == s.Run() {
		t.Errorf("kernel %q, run %s, previous %s, this %s", r[0].Kernel, r[0].Run, p.Run, s.Run())
	}
	if got, want := seqs(r), "a/1/1=one b/1/1=two a/1/2=three"; got != want {
		t.Errorf("backlog: got %s, want %s", got, want)
	}
	if got, want := seqs(s.Take(EventLane, 9, 1000)), "event/1/1=boot"; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	s.Ack(r[1:2])
	s.Release(r[:1])
	s.Release(r[2:])
	if st := s.Stats(); st.Backlog != 2 || st.Live != 1 || st.Events != 1 || st.InFlight != 2 {
		t.Errorf("stats %+v", st)
	}
	closeStore(t, s)

	s = openAt(t, path, Options{MaxLoss: time.Hour})
	defer closeStore(t, s)
	if got, want := seqs(s.Take(BacklogLane, 9, 1000)), "a/1/1=one a/1/2=three a/2/1=four"; got != want {
		t.Errorf("partly acknowledged segment after restart: got %s, want %s", got, want)
	}
}

func TestAcknowledgedInTimeIsNeverWritten(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	before := s.Stats()
	for range 1000 {
		mustAppend(t, s, Readings, "a", "body")
		s.Ack(s.Take(LiveLane, 1, 1000))
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Acked != 1000 || st.Front != 0 || s.front != 0 || st.Live != 0 ||
		st.WrittenBytes > before.WrittenBytes+20000 || len(s.shelves[normalClass].segments) > 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestStrictAppendsShareCommits(t *testing.T) {
	s := newStore(t, Options{})
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				if _, err := s.Append(context.Background(), Readings, fmt.Sprint("s", w), 0, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	if n := st.Live + st.Backlog; n != writers*each || st.Front != 0 {
		t.Errorf("%d readings, %d in front, want %d and 0", n, st.Front, writers*each)
	}
	if st.Commits >= writers*each*3/4 {
		t.Errorf("%d commits for %d appends: not shared", st.Commits, writers*each)
	}
}

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	ctx := context.Background()
	s := openAt(t, path, Options{MaxLoss: time.Hour})
	if v, err := s.Get(ctx, "cmd", "1"); v != nil || err != nil {
		t.Fatalf("absent key: %q, %v", v, err)
	}
	mustAppend(t, s, Readings, "a", "front")
	err := s.Update(ctx, func(tx *Tx) error {
		for _, k := range []string{"", "1", "2", "3"} {
			if err := tx.Put("cmd", k, []byte("v"+k)); err != nil {
				return err
			}
		}
		if err := tx.Delete("cmd", "2"); err != nil {
			return err
		}
		if err := tx.Put("cmd", "empty", nil); err != nil {
			return err
		}
		return tx.Append(Events, "reply", 0, []byte("done"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Front != 0 || st.Events != 1 {
		t.Errorf("after Update: %+v", st)
	}
	refused := errors.New("refused")
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.Put("cmd", "4", []byte("v4")); err != nil {
			return err
		}
		if err := tx.Append(Events, "reply", 0, []byte("never")); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error of the function: got %v", err)
	}
	// Without Close: a crash.
	crashed := crash(t, s, path)
	s = openAt(t, crashed, Options{MaxLoss: time.Hour})
	defer closeStore(t, s)
	var got []string
	if err := s.Each(ctx, "cmd", func(k string, v []byte) error { got = append(got, k+"="+string(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := "[=v 1=v1 3=v3 empty=]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if v, err := s.Get(ctx, "cmd", "empty"); v == nil || err != nil {
		t.Errorf("empty value: %v, %v", v, err)
	}
	if got, want := seqs(s.Take(EventLane, 9, 99)), "reply/1/1=done"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := seqs(s.Take(BacklogLane, 9, 99)), "a/1/1=front"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p := s.Previous(); p.Clean || p.Last["a"] != 1 || p.LastEvents["reply"] != 1 {
		t.Errorf("previous %+v", p)
	}
}

func TestRefuse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	ctx := context.Background()
	s := openAt(t, path, Options{MaxLoss: time.Hour})
	for range 5 {
		mustAppend(t, s, Readings, "a", "x")
	}
	r := s.Take(LiveLane, 3, 100)
	if err := s.Refuse(ctx, r[:2], "payload format"); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, crash(t, s, path), Options{MaxLoss: time.Hour})
	defer closeStore(t, s)
	if got, want := seqs(s.Take(BacklogLane, 9, 99)), "a/1/3=x a/1/4=x a/1/5=x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l := s.TakeLosses(9)
	if len(l) != 1 || l[0].First != 1 || l[0].Last != 2 || l[0].Count != 2 || l[0].Reason != "refused" || l[0].Stream != "a" {
		t.Errorf("losses %+v", l)
	}
	if again := s.TakeLosses(9); again != nil {
		t.Errorf("taken twice: %+v", again)
	}
	s.ReleaseLosses(l)
	s.AckLosses(s.TakeLosses(9))
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Losses != 0 || st.Dead != 2 {
		t.Errorf("stats %+v", st)
	}
}

// crash ends a store as a power cut would: what is in the files at a moment between two commits is
// copied, and the new path returned.
func crash(t testing.TB, s *Store, path string) string {
	t.Helper()
	to, _ := crashOf(t, s, path)
	return to
}

// crashOf also reports whether the run had committed anything.
func crashOf(t testing.TB, s *Store, path string) (to string, committed bool) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "queue.db")
	err := s.submit(context.Background(), &job{read: func(c *committer) error {
		committed = c.n.Boot == uint64(s.Boot())
		return copyStore(path, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close(context.Background())
	return to, committed
}

func copyStore(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Hundreds of segments that are finished wait for a commit while a backlog drains: they must not
// hold what they had.
func TestFinishedSegmentHoldsNoRecords(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	for range 10 {
		mustAppend(t, s, Readings, "a", "body")
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Ack(s.Take(LiveLane, 10, 1000))
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.shelves[normalClass].segments[0]
	if seg.left != 0 || !seg.dirty || cap(seg.items) != 1 || seg.items[0].body != nil || seg.last() != seg.id+9 {
		t.Errorf("%d items left, dirty %v, room for %d items, last position %d", seg.left, seg.dirty, cap(seg.items), seg.last())
	}
}
