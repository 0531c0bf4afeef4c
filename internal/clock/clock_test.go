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
	c := clock.New("k1", b.source(), m, time.Time{})
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
	again := clock.New("k1", b.source(), m, time.Time{})
	if got, ok := again.Time("k1", 10*time.Second); !ok || !got.Equal(right.Add(10*time.Second)) {
		t.Errorf("after a restart: want %v, got %v %v", right.Add(10*time.Second), got, ok)
	}
	if _, ok := again.Time("k0", time.Second); ok {
		t.Error("a boot that was never synchronised has a time")
	}
}

func TestOffsetThatCannotBeKeptIsNotUsed(t *testing.T) {
	b := &board{wall: time.Unix(1e9, 0), synced: true}
	c := clock.New("k", b.source(), &memory{offsets: map[string]time.Duration{}, err: errors.New("disk full")}, time.Time{})
	if known, err := c.Learn(); known || err == nil {
		t.Errorf("want an error, got %v, %v", known, err)
	}
	if _, ok := c.Time("k", 0); ok {
		t.Error("an offset that was not frozen was used")
	}
}

func TestForTLSNeverGoesBelowTheFloor(t *testing.T) {
	floor := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := &board{wall: time.Unix(0, 0)}
	c := clock.New("k", b.source(), &memory{}, floor)
	if got := c.ForTLS(); !got.Equal(floor) {
		t.Errorf("want %v, got %v", floor, got)
	}
	b.wall = floor.Add(time.Hour)
	if got := c.ForTLS(); !got.Equal(b.wall) {
		t.Errorf("want %v, got %v", b.wall, got)
	}
}
