package buffer

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// Readings of a power-up that is held stay, however many segments they are, those of others flow,
// and Stats counts them, also after others of them were evicted and streams were held and freed.
func TestHeldKernelsStopNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	const n = 3 * maxCached
	for i := range 3 {
		o.KernelBoot = fmt.Sprint("kernel-", i)
		s := openAt(t, path, o)
		segments(t, s, n, "a", "b")
		closeStore(t, s)
	}
	o.KernelBoot = "kernel-3"
	s := openAt(t, path, o)
	defer closeStore(t, s)
	s.HoldKernels(map[string]bool{"kernel-0": true, "kernel-2": true, "kernel-3": true})
	mustAppend(t, s, Readings, "a", "x")
	mustAppend(t, s, Events, "e", "x")
	if got := fmt.Sprint(takeAllRuns(s, BacklogLane), takeAllRuns(s, LiveLane), takeAll(t, s, EventLane)); got != fmt.Sprintf("map[kernel-1:%d] map[] map[e:1]", 2*n) {
		t.Errorf("took %s", got)
	}
	if held := s.Stats().Held; held != 4*n+1 {
		t.Errorf("%d are held, want %d", held, 4*n+1)
	}
	if segs, gap := s.resident(); gap || segs > maxCached+1 {
		t.Errorf("%d segments are in RAM, others to be looked at: %v", segs, gap)
	}
	s.Hold(BacklogLane, map[string]bool{"a": true})
	s.Hold(BacklogLane, nil)
	s.Split()
	if got := takeAllRuns(s, BacklogLane); len(got) > 0 || s.Stats().Held != 4*n+1 {
		t.Errorf("after Hold took %v, and %d are held", got, s.Stats().Held)
	}
	s.HoldKernels(map[string]bool{"kernel-0": true, "kernel-2": true}) // the time of this one is known now
	if got := fmt.Sprint(takeAllRuns(s, BacklogLane)); got != "map[kernel-3:1]" || s.Stats().Held != 4*n {
		t.Errorf("of this power-up took %v, and %d are held", got, s.Stats().Held)
	}
	s.HoldKernels(nil)
	if got := fmt.Sprint(takeAllRuns(s, BacklogLane)); got != fmt.Sprintf("map[kernel-0:%d kernel-2:%d]", 2*n, 2*n) || s.Stats().Held != 0 {
		t.Errorf("of all took %v, and %d are held", got, s.Stats().Held)
	}
}

// What limits remove is not held any more.
func TestHeldKernelsAreEvicted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, KernelBoot: "kernel-0"}
	s := openAt(t, path, o)
	segments(t, s, 20, "a")
	closeStore(t, s)
	o.KernelBoot = "kernel-1"
	s = openAt(t, path, o)
	defer closeStore(t, s)
	s.HoldKernels(map[string]bool{"kernel-0": true})
	noise := make([]byte, 2000)
	for range 400 {
		s.Split()
		if got := takeAllRuns(s, BacklogLane); got["kernel-0"] > 0 {
			t.Fatalf("took %v", got)
		}
		if s.Stats().Evicted > 0 {
			break
		}
		s.Hold(BacklogLane, map[string]bool{"b": true})
		for range 50 {
			_, _ = rand.Read(noise)
			mustAppend(t, s, Readings, "b", string(noise))
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Evicted == 0 || st.Held+int64(st.Evicted) != 20 && st.Held != 0 {
		t.Errorf("%d evicted, %d held", st.Evicted, st.Held)
	}
}

// takeAllRuns takes and acknowledges until two Takes in a row find nothing, and returns how many
// records of each kernel boot came.
func takeAllRuns(s *Store, lane Lane) map[string]int {
	got := map[string]int{}
	for empty := 0; empty < 2; {
		for ready(s) {
		}
		r := s.Take(lane, 50, 1<<20)
		if len(r) == 0 && !ready(s) {
			empty++
		}
		for _, x := range r {
			got[x.Kernel]++
		}
		s.Ack(r)
	}
	return got
}
