package clock_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/clock"
)

type memory struct {
	offsets map[string]time.Duration
	err     error
}

func (m *memory) Offset(boot string) (time.Duration, bool, error) {
	o, ok := m.offsets[boot]
	return o, ok, nil
}
func (m *memory) Freeze(boot string, o time.Duration) error {
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
		Synchronised: func() bool { return b.synced }}
}

func TestReadingsBeforeSynchronisationTakeTheFirstOffset(t *testing.T) {
	right := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	b := &board{up: 30 * time.Second, wall: time.Unix(30, 0)}
	m := &memory{offsets: map[string]time.Duration{}}
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
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: &memory{offsets: map[string]time.Duration{}, err: errors.New("disk full")}})
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
	m := &memory{offsets: map[string]time.Duration{}}
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
	c := clock.New(clock.Config{KernelBoot: "k", Source: b.source(), Store: &memory{offsets: map[string]time.Duration{}}})
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
	m := &memory{offsets: map[string]time.Duration{}}
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
