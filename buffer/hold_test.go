package buffer

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// segments stores n segments, each with a record of every stream.
func segments(t testing.TB, s *Store, n int, streams ...string) {
	t.Helper()
	for range n {
		for _, stream := range streams {
			mustAppend(t, s, Readings, stream, "x")
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// takeAll takes and acknowledges until two Takes in a row find nothing, and returns how many
// records of each stream came. They come in their order.
func takeAll(t testing.TB, s *Store, lane Lane) map[string]int {
	t.Helper()
	got, last := map[string]int{}, map[string]uint64{}
	for empty := 0; empty < 2; {
		for ready(s) {
		}
		r := s.Take(lane, 50, 1<<20)
		if len(r) == 0 && !ready(s) {
			empty++
		}
		for _, x := range r {
			if x.Seq <= last[x.Stream] {
				t.Errorf("%s %d after %d", x.Stream, x.Seq, last[x.Stream])
			}
			last[x.Stream] = x.Seq
			got[x.Stream]++
		}
		s.Ack(r)
	}
	return got
}

// resident returns how many segments of readings are in RAM, and whether others are still to be
// looked at.
func (s *Store) resident() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := &s.shelves[normalClass]
	return len(sh.segments), sh.gap()
}

// What is held stays on the disk and is looked at once; the rest flows.
func TestHeldStreamsStopNoOther(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fill   func(t *testing.T, s *Store)
		others int
	}{
		{"in segments of their own", func(t *testing.T, s *Store) { segments(t, s, 3*maxLoads, "a"); segments(t, s, 10, "b") }, 10},
		{"in the same segments", func(t *testing.T, s *Store) { segments(t, s, 3*maxLoads, "a", "b") }, 3 * maxLoads},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			s := openAt(t, path, Options{MaxLoss: time.Hour})
			tt.fill(t, s)
			closeStore(t, s)
			s = openAt(t, path, Options{MaxLoss: time.Hour})
			defer closeStore(t, s)
			s.Hold(BacklogLane, map[Part]bool{{Stream: "a"}: true})
			if got := takeAll(t, s, BacklogLane); got["b"] != tt.others || got["a"] != 0 {
				t.Fatalf("took %v", got)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			takeAll(t, s, BacklogLane)
			if n, more := s.resident(); n > 1 || more {
				t.Errorf("%d segments in RAM, more to look at: %v", n, more)
			}
			if st := s.Stats(); st.Backlog != 3*maxLoads {
				t.Errorf("%d records wait", st.Backlog)
			}
			// One record to see whether the stream may go on; the others are not looked at again.
			s.Hold(BacklogLane, nil)
			probe := s.Take(BacklogLane, 1, 1)
			s.Hold(BacklogLane, map[Part]bool{{Stream: "a"}: true})
			if _, more := s.resident(); len(probe) != 1 || probe[0].Seq != 1 || more {
				t.Errorf("probe %s, more to look at: %v", seqs(probe), more)
			}
			s.Release(probe)
			s.Hold(BacklogLane, map[Part]bool{{Stream: "b"}: true})
			if got := takeAll(t, s, BacklogLane); got["a"] != 3*maxLoads || got["b"] != 0 {
				t.Errorf("then took %v", got)
			}
		})
	}
}

// Live readings and events are held as well; the front is stored all the same.
func TestHoldInEachLane(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	s.Hold(LiveLane, map[Part]bool{{Stream: "a"}: true})
	s.Hold(EventLane, map[Part]bool{{Stream: "e"}: true})
	for range 2 {
		mustAppend(t, s, Readings, "a", "x")
		mustAppend(t, s, Readings, "b", "x")
		mustAppend(t, s, Events, "e", "x")
		mustAppend(t, s, Events, "f", "x")
	}
	if got := fmt.Sprint(takeAll(t, s, LiveLane), takeAll(t, s, EventLane)); got != "map[b:2] map[f:2]" {
		t.Errorf("took %s", got)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().Front; n != 0 {
		t.Errorf("%d records are in RAM only", n)
	}
	s.Split() // the backlog is another queue
	s.Hold(EventLane, nil)
	if got := fmt.Sprint(takeAll(t, s, BacklogLane), takeAll(t, s, EventLane)); got != "map[a:2] map[e:2]" {
		t.Errorf("then took %s", got)
	}
}

// What changes on the disk while a stream is free for a probe is not passed over afterwards.
func TestGapAfterAProbe(t *testing.T) {
	a := map[Part]bool{{Stream: "a"}: true}
	passing := func() *shelf { // over the segments 10 to 29
		sh := &shelf{gapLo: 30, gapHi: 40, liveFrom: 100}
		for id := uint64(10); id < 30; id++ {
			seg := &segment{class: normalClass, run: &run{kernel: "k"}, id: id}
			seg.items = []*item{{segment: seg, pos: id, stream: "a", state: waiting}}
			sh.pass(seg, a)
		}
		return sh
	}
	for _, tt := range []struct {
		name    string
		between func(*shelf)
		lo, hi  uint64
	}{
		{"nothing", func(*shelf) {}, 30, 40},
		{"the first was read", func(sh *shelf) { sh.shrink(10, 11) }, 30, 40},
		{"more was read than passed over", func(sh *shelf) { sh.shrink(10, 35) }, 35, 40},
		{"another takes the place of some", func(sh *shelf) { sh.cover(20, 21) }, 10, 40},
		{"another stream is held", func(sh *shelf) { sh.hold(nil, map[Part]bool{{Stream: "b"}: true}) }, 30, 40},
		{"reading began before it was free", func(sh *shelf) { sh.shrink(30, 35) }, 30, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sh := passing()
			if sh.hold(a, nil); sh.gapLo != 10 || sh.gapHi != 40 {
				t.Fatalf("free: the gap is from %d to %d", sh.gapLo, sh.gapHi)
			}
			tt.between(sh)
			if sh.hold(nil, a); sh.gapLo != tt.lo || sh.gapHi != tt.hi {
				t.Errorf("held again: the gap is from %d to %d, want %d to %d", sh.gapLo, sh.gapHi, tt.lo, tt.hi)
			}
			if sh.hold(a, nil); sh.gapLo > 11 && tt.lo == 30 {
				t.Errorf("free again: the gap is from %d", sh.gapLo)
			}
		})
	}
}

// What was passed over is salvaged from a damaged file, and still held. The machine was started a
// minute ago: what is stored again does not wait until MaxLoss has passed since then.
func TestHoldOutlivesTheFile(t *testing.T) {
	begin := time.Now()
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20, Up: func() time.Duration { return time.Minute + time.Since(begin) }})
	segments(t, s, 2*maxCached, "a", "b")
	s.Split()
	s.Hold(BacklogLane, map[Part]bool{{Stream: "a"}: true})
	r := s.Take(BacklogLane, 100, 1<<20)
	s.Ack(r)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := false
	err := s.submit(t.Context(), &job{read: func(*committer) error {
		if told {
			return nil
		}
		told = true
		return errBadState
	}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is salvaged", func() bool { o := s.Opened(); return o.SetAside != "" && !o.Salvaging })
	if got := takeAll(t, s, BacklogLane); got["a"] != 0 || got["b"] != 2*maxCached-len(r) {
		t.Errorf("held: took %v", got)
	}
	s.Hold(BacklogLane, nil)
	if got := takeAll(t, s, BacklogLane); got["a"] != 2*maxCached || s.Stats().Losses != 0 {
		t.Errorf("then: took %v, %d losses", got, s.Stats().Losses)
	}
}

// A store that opens late holds what it finds in its file as well.
func TestHoldBeforeALateOpen(t *testing.T) {
	dir, readOnly := readOnlyDir(t)
	path := filepath.Join(dir, "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 2 << 20}
	s := openAt(t, path, o)
	segments(t, s, 20, "a", "b")
	closeStore(t, s)
	readOnly(true)
	var now atomic.Int64
	o.Up = func() time.Duration { return time.Duration(now.Add(1)) }
	s = openAt(t, path, o)
	defer closeStore(t, s)
	for lane := range Lane(3) {
		s.Hold(lane, map[Part]bool{{Stream: "a"}: true})
	}
	mustAppend(t, s, Readings, "a", "x")
	mustAppend(t, s, Readings, "b", "x")
	if got := fmt.Sprint(takeAll(t, s, LiveLane)); got != "map[b:1]" {
		t.Errorf("before: took %s", got)
	}
	readOnly(false)
	now.Add(int64(time.Hour))
	s.wakeCommitter()
	eventually(t, "it is open", func() bool { return s.IsOpen() && s.Stats().Degraded == nil })
	if got := fmt.Sprint(takeAll(t, s, BacklogLane), takeAll(t, s, LiveLane)); got != "map[b:20] map[]" {
		t.Errorf("held: took %s", got)
	}
	for lane := range Lane(3) {
		s.Hold(lane, nil)
	}
	if got := fmt.Sprint(takeAll(t, s, BacklogLane), takeAll(t, s, LiveLane)); got != "map[a:20] map[a:1]" {
		t.Errorf("then: took %s", got)
	}
}

// BenchmarkTakeHeld holds a stream that has a million readings: looking at them once, then taking
// those of another stream, and a reading to probe with.
func BenchmarkTakeHeld(b *testing.B) {
	const n = 1_000_000
	path := filepath.Join(b.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Second, MaxBytes: 1 << 30}
	s := openAt(b, path, o)
	for i := range n {
		if _, err := s.Append(b.Context(), Readings, "a", 0, reading(i)); err != nil {
			b.Fatal(err)
		}
	}
	closeStore(b, s)
	hold := map[Part]bool{{Stream: "a"}: true}
	b.Run("look", func(b *testing.B) {
		takes := 0
		for b.Loop() {
			s = openAt(b, path, o)
			s.Hold(BacklogLane, hold)
			for more := true; more; takes++ {
				for ready(s) {
				}
				if len(s.Take(BacklogLane, 200, 64<<10)) > 0 {
					b.Fatal("took what is held")
				}
				more = ready(s)
			}
			b.ReportMetric(residentMiB(), "rss-MiB")
			closeStore(b, s)
		}
		b.ReportMetric(float64(takes)/float64(b.N), "takes/op")
	})
	s = openAt(b, path, o)
	defer closeStore(b, s)
	s.Hold(BacklogLane, hold)
	takeAll(b, s, BacklogLane)
	b.Run("other", func(b *testing.B) {
		for b.Loop() {
			mustAppend(b, s, Readings, "b", "x")
			s.Split()
			r := s.Take(BacklogLane, 200, 64<<10)
			if len(r) != 1 {
				b.Fatalf("took %d", len(r))
			}
			s.Ack(r)
		}
	})
	b.Run("probe", func(b *testing.B) {
		for b.Loop() {
			s.Hold(BacklogLane, nil)
			r := s.Take(BacklogLane, 1, 1)
			s.Hold(BacklogLane, hold)
			if len(r) != 1 || r[0].Seq != 1 {
				b.Fatalf("took %d", len(r))
			}
			s.Release(r)
			if r := s.Take(BacklogLane, 200, 64<<10); len(r) > 0 {
				b.Fatal("took what is held")
			}
		}
	})
}
