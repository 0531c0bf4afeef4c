package clock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/clock"
)

type memory struct {
	offsets map[string]clock.Offset
	err     error
}

func (m *memory) Offset(boot string) (clock.Offset, bool, error) {
	o, ok := m.offsets[boot]
	return o, ok, nil
}
func (m *memory) Freeze(boot string, o clock.Offset) error {
	if m.err == nil {
		m.offsets[boot] = o
	}
	return m.err
}

// board is a machine whose clock stands at 1970 until NTP sets it.
type board struct {
	up     time.Duration
	wall   time.Time
	synced bool
}

func (b *board) source() clock.Source {
	return clock.Source{Up: func() time.Duration { return b.up }, Wall: func() time.Time { return b.wall },
		Synchronised: func() (time.Duration, bool) { return 12 * time.Millisecond, b.synced }}
}

// server gives a time of its own.
type server struct {
	offset clock.Offset
	ok     bool
}

func (s *server) Offset() (clock.Offset, bool) { return s.offset, s.ok }
func (s *server) Waits() string                { return "https://h/: no route" }

// says makes it say what time it is, the board being up for that long.
func (s *server) says(wall time.Time, up time.Duration) {
	s.offset, s.ok = clock.Offset{Boot: time.Duration(wall.UnixNano()) - up, Source: clock.HTTPS, Uncertainty: 600 * time.Millisecond}, true
}

func TestReadingsBeforeSynchronisationTakeTheFirstOffset(t *testing.T) {
	right := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	b := &board{up: 30 * time.Second, wall: time.Unix(30, 0)}
	m := &memory{offsets: map[string]clock.Offset{}}
	c := clock.New(clock.Config{KernelBoot: "k1", Source: b.source(), Store: m})
	if known, err := c.Learn(); known || err != nil {
		t.Fatalf("unsynchronised: want unknown, got %v, %v", known, err)
	}
	if got, ok := c.Time("k1", 10*time.Second); ok {
		t.Fatalf("unsynchronised: want no time, got %v", got)
	}
	b.up, b.wall, b.synced = time.Minute, right.Add(time.Minute), true
	if learned, err := c.Learn(); !learned || err != nil {
		t.Fatalf("synchronised: want learned, got %v, %v", learned, err)
	}
	if learned, err := c.Learn(); learned || err != nil {
		t.Fatalf("again: want nothing new, got %v, %v", learned, err)
	}
	if got, ok := c.Time("k1", 10*time.Second); !ok || !got.Equal(right.Add(10*time.Second)) {
		t.Errorf("want %v, got %v %v", right.Add(10*time.Second), got, ok)
	}
	// A clock step afterwards, and a restart of the program in the same kernel, change nothing.
	b.wall = b.wall.Add(time.Hour)
	again := clock.New(clock.Config{KernelBoot: "k1", Source: b.source(), Store: m})
	if got, ok := again.Time("k1", 10*time.Second); !ok || !got.Equal(right.Add(10*time.Second)) {
		t.Errorf("after a restart: want %v, got %v %v", right.Add(10*time.Second), got, ok)
	}
	if _, ok := again.Time("k0", time.Second); ok {
		t.Error("a boot that was never synchronised has a time")
	}
}

func TestOffsetThatCannotBeKeptIsNotUsed(t *testing.T) {
	b := &board{wall: time.Unix(1e9, 0), synced: true}
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: &memory{offsets: map[string]clock.Offset{}, err: errors.New("disk full")}})
	if known, err := c.Learn(); known || err == nil {
		t.Errorf("want an error, got %v, %v", known, err)
	}
	if _, ok := c.Time("k", 0); ok {
		t.Error("an offset that was not frozen was used")
	}
}

// TestBootsWithoutAClock: three power-ups, of which only the last comes to know the time, which is
// not that of the others; in each the program starts twice.
func TestBootsWithoutAClock(t *testing.T) {
	m := &memory{offsets: map[string]clock.Offset{}}
	right := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	for i, boot := range []string{"k1", "k2", "k3"} {
		for range 2 {
			b := &board{up: time.Minute, wall: time.Unix(60, 0)}
			c := clock.New(clock.Config{KernelBoot: boot, Source: b.source(), Store: m})
			if boot == "k3" {
				b.wall, b.synced = right, true
			}
			if learned, err := c.Learn(); err != nil || learned && i < 2 {
				t.Fatalf("%s: %v, %v", boot, learned, err)
			}
			for _, other := range []string{"k1", "k2"} {
				if got, ok := c.Time(other, 0); ok {
					t.Errorf("in %s: %s began at %v, which nobody can know", boot, other, got)
				}
				if age, ok := c.PowerUpAge(other); ok {
					t.Errorf("in %s: %s is %v old, which nobody can know", boot, other, age)
				}
			}
			if age, ok := c.PowerUpAge("k3"); ok != (i == 2) || ok && age != time.Minute {
				t.Errorf("in %s: k3 is %v old, %v", boot, age, ok)
			}
		}
	}
}

// TestSuspend: the time in suspend counts, since CLOCK_BOOTTIME counts it.
func TestSuspend(t *testing.T) {
	right := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	b := &board{up: time.Minute, wall: right, synced: true}
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: &memory{offsets: map[string]clock.Offset{}}})
	if learned, err := c.Learn(); !learned || err != nil {
		t.Fatal(learned, err)
	}
	b.up, b.wall = b.up+8*time.Hour, b.wall.Add(8*time.Hour) // suspended
	if now, ok := c.Now(); !ok || !now.Equal(b.wall) {
		t.Errorf("after 8 hours of suspend: %v, want %v", now, b.wall)
	}
}

// TestWrongBatteryClock: one that stands before the build is not taken, and is complained of once;
// one that was far ahead in an earlier boot neither keeps a synchronised clock from being taken nor
// TLS from working.
func TestWrongBatteryClock(t *testing.T) {
	built := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	right := built.AddDate(0, 10, 0)
	b := &board{up: time.Minute, wall: time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC), synced: true}
	m := &memory{offsets: map[string]clock.Offset{}}
	ahead := built.AddDate(70, 0, 0)
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: m, Built: built, Last: ahead})
	if learned, err := c.Learn(); learned || !errors.Is(err, clock.ErrBehind) {
		t.Errorf("the year 2000: %v, %v", learned, err)
	}
	if learned, err := c.Learn(); learned || err != nil || len(m.offsets) > 0 {
		t.Errorf("the year 2000 once more: %v, %v, %v", learned, err, m.offsets)
	}
	b.wall = right
	if learned, err := c.Learn(); !learned || err != nil {
		t.Errorf("set right: %v, %v", learned, err)
	}
	if got := c.ForTLS(); !got.Equal(right) {
		t.Errorf("certificates are checked with %v, want %v", got, right)
	}
}

func TestForTLS(t *testing.T) {
	built := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last := built.AddDate(0, 5, 0)
	for _, tt := range []struct {
		name   string
		wall   time.Time
		synced bool
		want   time.Time
	}{
		{"1970", time.Unix(0, 0), false, last},
		{"1970, said to be right", time.Unix(0, 0), true, last},
		{"behind what was known", built.AddDate(0, 1, 0), false, last},
		{"behind what was known, synchronised", built.AddDate(0, 1, 0), true, built.AddDate(0, 1, 0)},
		{"ahead", last.AddDate(0, 1, 0), false, last.AddDate(0, 1, 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &board{wall: tt.wall, synced: tt.synced}
			if got := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: &memory{}, Built: built, Last: last}).ForTLS(); !got.Equal(tt.want) {
				t.Errorf("want %v, got %v", tt.want, got)
			}
		})
	}
}

// TestTimeFromElsewhere: it is taken if it can be right, frozen over a restart of the program, and
// used for TLS; what the kernel says later changes nothing but is said.
func TestTimeFromElsewhere(t *testing.T) {
	built := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last, right := built.AddDate(0, 5, 0), built.AddDate(0, 10, 0)
	b, m, s := &board{up: time.Minute, wall: time.Unix(60, 0)}, &memory{offsets: map[string]clock.Offset{}}, &server{}
	config := clock.Config{KernelBoot: "k", Source: b.source(), Elsewhere: s, Store: m, Built: built, Last: last}
	c := clock.New(config)
	if learned, err := c.Learn(); learned || err != nil {
		t.Fatalf("nothing was heard: %v, %v", learned, err)
	}
	if got := c.State(); !strings.Contains(got, "not set") || !strings.HasSuffix(got, "; https://h/: no route") {
		t.Errorf("state: %s", got)
	}
	for _, tt := range []struct {
		wall time.Time
		want string
	}{
		{time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC), "1980-01-06T00:00:00Z is before this program was built (2026-01-01T00:00:00Z)"},
		{built.AddDate(0, 1, 0), "2026-02-01T00:00:00Z is before the latest time that was known here (2026-06-01T00:00:00Z)"},
		{time.Date(2080, 1, 6, 0, 0, 0, 0, time.UTC), "2080-01-06T00:00:00Z is more than 20 years after this program was built"},
	} {
		c := clock.New(config)
		s.says(tt.wall, b.up)
		if learned, err := c.Learn(); learned || !errors.Is(err, clock.ErrWrong) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, %v", tt.wall, learned, err)
		}
		if learned, err := c.Learn(); learned || err != nil || len(m.offsets) > 0 {
			t.Errorf("%v once more: %v, %v, %v", tt.wall, learned, err, m.offsets)
		}
		if got := c.State(); !strings.Contains(got, tt.want) {
			t.Errorf("%v: state: %s", tt.wall, got)
		}
	}
	s.says(right, b.up)
	if learned, err := c.Learn(); !learned || err != nil {
		t.Fatalf("%v, %v", learned, err)
	}
	if got := c.ForTLS(); !got.Equal(right) {
		t.Errorf("certificates are checked with %v, want %v", got, right)
	}
	if got, want := c.State(), "from gateway.time_from (the Date of an HTTPS server), within 600ms"; got != want {
		t.Errorf("state: %s", got)
	}
	if source, within := c.Origin(); source != "https" || within != 600*time.Millisecond {
		t.Errorf("%s, %v", source, within)
	}
	b.up, b.wall, b.synced = b.up+time.Hour, right.Add(time.Hour+1600*time.Millisecond), true
	if got := c.Doubt(); got != "" {
		t.Errorf("within the uncertainty and a second: %s", got)
	}
	b.wall = right.Add(time.Hour - 4*time.Second)
	c = clock.New(config) // the program starts again
	if got := c.Doubt(); !strings.Contains(got, "is 4s earlier than the time of this power-up (from gateway.time_from (the Date of an HTTPS server), within 600ms)") {
		t.Errorf("doubt: %s", got)
	}
	if learned, err := c.Learn(); learned || err != nil {
		t.Errorf("%v, %v", learned, err)
	}
	if now, ok := c.Now(); !ok || !now.Equal(right.Add(time.Hour)) {
		t.Errorf("readings have %v, want %v", now, right.Add(time.Hour))
	}
	if got := c.ForTLS(); !got.Equal(b.wall) {
		t.Errorf("certificates are checked with %v, want %v", got, b.wall)
	}
}

// TestSynchronisedClockWins: over what a server says at the same time.
func TestSynchronisedClockWins(t *testing.T) {
	right := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	b, m, s := &board{up: time.Minute, wall: right, synced: true}, &memory{offsets: map[string]clock.Offset{}}, &server{}
	s.says(right.Add(time.Minute), b.up)
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Elsewhere: s, Store: m})
	if learned, err := c.Learn(); !learned || err != nil {
		t.Fatal(learned, err)
	}
	if got, ok := c.Now(); !ok || !got.Equal(right) {
		t.Errorf("%v", got)
	}
	if got := c.State(); got != "synchronised, within 12ms" {
		t.Errorf("state: %s", got)
	}
	b.wall = right.Add(time.Hour)
	if got := c.Doubt(); got != "" {
		t.Errorf("a step of the synchronised clock: %s", got)
	}
}

// TestDeadBattery: a clock that is trusted and stands before the build leaves the word to others.
func TestDeadBattery(t *testing.T) {
	built := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b, s := &board{up: time.Minute, wall: time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)}, &server{}
	source := b.source()
	source.Basis = "a clock with a battery keeps it"
	c := clock.New(clock.Config{KernelBoot: "k", Source: source, Elsewhere: s, Store: &memory{offsets: map[string]clock.Offset{}}, Built: built})
	if learned, err := c.Learn(); learned || !errors.Is(err, clock.ErrBehind) {
		t.Fatal(learned, err)
	}
	s.says(built.AddDate(0, 1, 0), b.up)
	if learned, err := c.Learn(); !learned || err != nil {
		t.Fatal(learned, err)
	}
	if source, _ := c.Origin(); source != clock.HTTPS {
		t.Errorf("the time is from %s", source)
	}
}
