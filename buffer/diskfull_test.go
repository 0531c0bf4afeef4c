package buffer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDiskFull needs a directory on a small file system of its own, which it fills:
// FIELDGATE_BUFFER_SMALLFS=/mnt/small, an ext4 on a loop device of 8 to 32 MiB (`make test-disk`).
// On the full one it stores an hour of readings, 10 a second, some of which are delivered, and
// opens the store again.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv("FIELDGATE_BUFFER_SMALLFS")
	if dir == "" {
		t.Skip("FIELDGATE_BUFFER_SMALLFS is not set")
	}
	for _, tt := range []struct {
		name   string
		policy Policy
	}{{"drop oldest", DropOldest}, {"reject new", RejectNew}, {"thin", Thin}} {
		t.Run(tt.name, func(t *testing.T) {
			sub, err := os.MkdirTemp(dir, "full")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(sub)
			l := &load{t: t, path: filepath.Join(sub, "queue.db"), body: make([]byte, 1500), delivered: map[ref]bool{}, lost: map[ref]bool{}, now: time.Hour}
			l.o = Options{MaxLoss: time.Second, WhenFull: tt.policy, Thin: modelThin, Up: func() time.Duration { return l.now }}
			l.open()
			l.run(time.Minute)

			filler, err := os.Create(filepath.Join(sub, "filler"))
			if err != nil {
				t.Fatal(err)
			}
			block := make([]byte, 4096)
			for err == nil {
				_, err = filler.Write(block)
			}
			t.Logf("filler: %v, %d bytes free, store of %d bytes", err, free(l.path), l.s.Stats().Bytes)
			l.run(30 * time.Minute)
			closeStore(t, l.s)
			start := time.Now()
			l.open()
			t.Logf("opened on the full disk in %v", time.Since(start))
			l.run(30 * time.Minute)

			st := l.s.Stats()
			t.Logf("after an hour: %d bytes free, store of %d bytes, %d not durable in time, since it was opened %d evicted, %d thinned, %d rejected, %d waiting",
				free(l.path), st.Bytes, l.failed, st.Evicted, st.Thinned, st.Rejected, st.Live+st.Backlog)
			if tt.policy != RejectNew && (st.Degraded != nil || st.Evicted+st.Thinned == 0 || st.Rejected > 0) {
				t.Errorf("does not work on a full disk: %+v", st)
			}
			if tt.policy == RejectNew && st.Rejected == 0 {
				t.Errorf("the disk was not full: %+v", st)
			}
			filler.Close()
			os.Remove(filler.Name())
			l.run(time.Minute)
			if err := l.s.Flush(t.Context()); err != nil {
				t.Errorf("after space was freed: %v", err)
			}
			if st := l.s.Stats(); st.Degraded != nil || st.Full || st.Front > 0 {
				t.Errorf("after space was freed: %+v", st)
			}
			if fileSize(ballastPath(l.path)) == 0 {
				t.Error("no ballast any more")
			}
			l.settle()
			if err := l.s.submit(t.Context(), &job{read: integrity}); err != nil {
				t.Error(err)
			}
			closeStore(t, l.s)
		})
	}
}

// A load makes 10 readings a second of its own time and delivers some of them.
type load struct {
	t               *testing.T
	s               *Store
	o               Options
	path            string
	body            []byte
	now             time.Duration
	made            int // since the store was opened
	all             []ref
	failed          int // commits
	delivered, lost map[ref]bool
}

func (l *load) open() {
	l.s, l.made = openAt(l.t, l.path, l.o), 0
}

func (l *load) run(length time.Duration) {
	l.t.Helper()
	for end := l.now + length; l.now < end; l.now += 100 * time.Millisecond {
		copy(l.body, reading(l.made))
		for i := range l.body[200:] {
			l.body[200+i] ^= byte((len(l.all)*31 + i) * (i | 1) >> 3)
		}
		l.made++
		seq, err := l.s.Append(l.t.Context(), Readings, "a", l.now, l.body)
		if seq != uint64(l.made) || err != nil && !errors.Is(err, ErrFull) {
			l.t.Fatalf("append %d: %d, %v", l.made, seq, err)
		}
		l.all = append(l.all, ref{Readings, "a", l.s.Run(), seq})
		if l.made%10 > 0 {
			continue
		}
		if err := l.s.Flush(l.t.Context()); errors.Is(err, ErrNotDurable) {
			l.failed++
		} else if err != nil {
			l.t.Fatal(err)
		}
		if l.made%600 == 0 {
			l.deliver(l.s.Take(BacklogLane, 20, 1<<20))
			l.deliver(l.s.Take(LiveLane, 20, 1<<20))
		}
	}
}

func (l *load) deliver(r []Record) {
	for _, x := range r {
		for id := refOf(x); id.seq <= max(x.Seq, x.SeqTo); id.seq++ {
			if l.delivered[id] {
				l.t.Errorf("%+v comes twice", id)
			}
			l.delivered[id] = true
		}
	}
	l.s.Ack(r)
}

// settle delivers all that is left. Every reading must have been delivered, or be in the ledger.
func (l *load) settle() {
	for _, lane := range []Lane{BacklogLane, LiveLane} {
		for r := l.s.Take(lane, 100, 1<<20); len(r) > 0; r = l.s.Take(lane, 100, 1<<20) {
			l.deliver(r)
		}
	}
	for e := l.s.TakeLosses(100); len(e) > 0; e = l.s.TakeLosses(100) {
		for _, x := range e {
			for seq := x.First; x.Reason != reasonThinned && seq <= x.Last; seq++ {
				id := ref{x.Kind, x.Stream, x.Run, seq}
				if l.lost[id] || l.delivered[id] {
					l.t.Errorf("%s loss of %+v, which was lost before (%v) or delivered (%v)", x.Reason, id, l.lost[id], l.delivered[id])
				}
				l.lost[id] = true
			}
		}
		l.s.AckLosses(e)
	}
	for _, id := range l.all {
		if !l.delivered[id] && !l.lost[id] {
			l.t.Errorf("%+v is neither delivered nor in the ledger", id)
		}
	}
	l.t.Logf("%d readings: %d delivered, %d in the ledger", len(l.all), len(l.delivered), len(l.lost))
}

// A file of shared memory could not be made on a full file system.
func TestNoSharedMemoryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	closeStore(t, openAt(t, path, Options{}))
	s := openAt(t, path, Options{})
	if _, err := os.Stat(path + "-shm"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s-shm: %v", path, err)
	}
	closeStore(t, s)
}

// The connection is lost on a full file system, and what is in the log has no room in the database:
// the ballast makes it.
func TestOpenedAgainOnAFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes}
	s := openAt(t, path, o)
	const n = 40
	for i := range n {
		flushed(t, s, noise(i, 1000))
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if err := s.submit(t.Context(), &job{read: func(c *committer) error { c.disconnect(); return nil }}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, Readings, "a", "x")
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	closeStore(t, s)
	s = openAt(t, path, o)
	defer closeStore(t, s)
	if got := s.Stats().Backlog; got != n+1 {
		t.Errorf("%d readings, want %d", got, n+1)
	}
}
