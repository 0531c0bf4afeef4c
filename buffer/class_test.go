package buffer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// noise returns a body that does not compress.
func noise(i, n int) []byte {
	b := make([]byte, n)
	x := uint32(i)*2654435761 + 1
	for j := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[j] = byte(x)
	}
	return b
}

func TestPriorityOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, Streams: map[string]StreamOptions{"low": {Priority: Low}, "high": {Priority: High}}}
	s := openAt(t, path, o)
	for i := range 3 {
		for _, stream := range []string{"low", "normal", "high"} {
			mustAppend(t, s, Readings, stream, fmt.Sprint(i))
		}
	}
	const want = "high/1/1=0 high/1/2=1 high/1/3=2 normal/1/1=0 normal/1/2=1 normal/1/3=2 low/1/1=0 low/1/2=1 low/1/3=2"
	live := s.Take(LiveLane, 99, 9999)
	if got := seqs(live); got != want {
		t.Errorf("live: got %s, want %s", got, want)
	}
	s.Release(live)
	if st := s.Stats(); st.Priorities != [3]int64{3, 3, 3} || st.Live != 9 || st.Backlog != 0 {
		t.Errorf("stats %+v", st)
	}
	closeStore(t, s)
	s = openAt(t, path, o)
	defer closeStore(t, s)
	if got := seqs(s.Take(BacklogLane, 99, 9999)); got != want {
		t.Errorf("backlog: got %s, want %s", got, want)
	}
}

// The cap removes the readings of least worth; what is worth less than everything stored is removed
// itself.
func TestPriorityWhenFull(t *testing.T) {
	s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, Streams: map[string]StreamOptions{"low": {Priority: Low}, "high": {Priority: High}}})
	appendTo := func(stream string, n int) {
		t.Helper()
		for i := range n {
			if _, err := s.Append(t.Context(), Readings, stream, 0, noise(i, 1000)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				if err := s.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lost := map[string]uint64{}
	take := func() {
		t.Helper()
		for l := s.TakeLosses(1000); len(l) > 0; l = s.TakeLosses(1000) {
			for _, e := range l {
				if e.Reason != reasonEvicted {
					t.Errorf("loss %+v", e)
				}
				lost[e.Stream] += e.Count
			}
			s.AckLosses(l)
		}
	}
	appendTo("high", 200)
	appendTo("low", 1000)
	appendTo("normal", 200)
	if take(); lost["high"] != 0 || lost["normal"] != 0 || lost["low"] == 0 {
		t.Fatalf("lost %v", lost)
	}
	appendTo("high", 2000)
	if take(); lost["low"] != 1000 || lost["normal"] != 200 || lost["high"] == 0 {
		t.Errorf("lost %v", lost)
	}
	high := lost["high"]
	appendTo("low", 50)
	if take(); lost["low"] != 1050 || lost["high"] != high {
		t.Errorf("lost %v, want every low one and no high one more", lost)
	}
	if st := s.Stats(); st.Priorities[2] != int64(2200-high) || st.Backlog+st.Live != st.Priorities[2] || st.Bytes > st.MaxBytes || st.Front != 0 || st.Degraded != nil {
		t.Errorf("stats %+v", st)
	}
}

func TestTTL(t *testing.T) {
	now := time.Hour
	path := filepath.Join(t.TempDir(), "queue.db")
	ages := map[string]time.Duration{}
	o := Options{MaxLoss: time.Hour, KernelBoot: "kernel-1", Up: func() time.Duration { return now },
		Streams:    map[string]StreamOptions{"short": {TTL: time.Minute}},
		PowerUpAge: func(k string) (time.Duration, bool) { a, ok := ages[k]; return a, ok }}
	s := openAt(t, path, o)
	add := func(stream string, up time.Duration) {
		t.Helper()
		if _, err := s.Append(t.Context(), Readings, stream, up, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, lane Lane, want, losses string) {
		t.Helper()
		if got := seqs(s.Take(lane, 99, 9999)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		l := s.TakeLosses(99)
		for _, e := range l {
			fmt.Fprintf(&b, "%s/%d/%d-%d %s ", e.Stream, number(e.Run), e.First, e.Last, e.Reason)
		}
		s.AckLosses(l)
		if got := strings.TrimSpace(b.String()); got != losses {
			t.Errorf("%s: losses %s, want %s", name, got, losses)
		}
	}
	add("short", now-2*time.Minute)
	add("short", now-59*time.Second)
	add("long", 0)
	check("live", LiveLane, "short/1/2=x long/1/1=x", "short/1/1-1 expired")
	if n := s.Stats().Expired; n != 1 {
		t.Errorf("%d expired", n)
	}
	closeStore(t, s)

	// A restart in the same kernel boot.
	now += time.Minute
	s = openAt(t, path, o)
	check("same kernel", BacklogLane, "long/1/1=x", "short/1/2-2 expired")
	add("short", now)
	add("short", now+time.Hour) // a clock that went back cannot make it old
	closeStore(t, s)

	// Another power-up: nothing is known, so nothing expires.
	o.KernelBoot, now = "kernel-2", 30*time.Second
	s = openAt(t, path, o)
	r := s.Take(BacklogLane, 99, 9999)
	if got, want := seqs(r), "long/1/1=x short/2/1=x short/2/2=x"; got != want {
		t.Errorf("unknown age: got %s, want %s", got, want)
	}
	s.Release(r)
	ages["kernel-1"] = time.Hour + 2*time.Minute + 30*time.Second
	check("known age", BacklogLane, "long/1/1=x short/2/2=x", "short/2/1-1 expired")
	closeStore(t, s)
}

// A store that rejects new readings makes room by what is expired.
func TestTTLMakesRoom(t *testing.T) {
	var clock atomic.Int64 // the committer looks at it too
	clock.Store(int64(time.Hour))
	now := func() time.Duration { return time.Duration(clock.Load()) }
	s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, WhenFull: RejectNew, Up: now,
		Streams: map[string]StreamOptions{"a": {TTL: time.Minute}}})
	full := func() (n int) {
		for ; n < 3000; n++ {
			if _, err := s.Append(t.Context(), Readings, "a", now(), noise(n, 1000)); errors.Is(err, ErrFull) {
				return n
			} else if err != nil {
				t.Fatal(err)
			}
			if n%10 == 0 {
				_ = s.Flush(t.Context())
			}
		}
		t.Fatal("never full")
		return 0
	}
	first := full()
	if first == 0 {
		t.Fatal("full at once")
	}
	clock.Add(int64(2 * time.Minute))
	full() // asks for it
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := full(); n < first*9/10 {
		t.Errorf("room for %d readings, before for %d, although all is expired", n, first)
	}
	if st := s.Stats(); st.Expired == 0 || st.Evicted != 0 {
		t.Errorf("stats %+v", st)
	}
}
