// Package clock gives readings their time on boards that have no clock at power-up.
//
// Every reading carries CLOCK_BOOTTIME, the time since the kernel started, which no clock step changes. Wall time is
// that plus the offset of the kernel's boot. The offset is learned once, when the kernel says that its clock is
// synchronised, and frozen durably before its first use, so that a reading that is delivered twice has the same time
// twice. Readings that were taken before take the same offset. The boot of a kernel is known by its random boot id.
//
// This package decides; it neither sends nor schedules anything, and where offsets are kept is the caller's.
package clock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Up returns CLOCK_BOOTTIME: the time since the kernel started, with the time in suspend.
func Up() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}

// KernelBoot returns the random id of this start of the kernel.
func KernelBoot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the kernel's boot id: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// Synchronised tells whether the kernel's clock is disciplined by NTP or the like, as adjtimex(2) says.
func Synchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR
}

// Store keeps the offsets of kernel boots.
type Store interface {
	// Offset returns what was frozen for a kernel boot; false where nothing was.
	Offset(kernelBoot string) (time.Duration, bool, error)
	// Freeze keeps an offset durably; it is asked once for every kernel boot.
	Freeze(kernelBoot string, offset time.Duration) error
}

// Source is where time comes from; tests set their own.
type Source struct {
	Up           func() time.Duration
	Wall         func() time.Time
	Synchronised func() bool
}

// System returns this machine's clocks. Where trust is set its wall clock is taken as right at once: for machines whose
// clock is kept by a host or a battery and whose kernel does not know.
func System(trust bool) Source {
	s := Source{Up: Up, Wall: time.Now, Synchronised: Synchronised}
	if trust {
		s.Synchronised = func() bool { return true }
	}
	return s
}

// A Clock turns times since power-up into wall times. Its methods may be called from any goroutine.
type Clock struct {
	source Source
	boot   string
	store  Store
	built  time.Time // of the program
	last   time.Time // that was known, in whatever kernel boot

	mu      sync.Mutex
	doubted bool
	offsets map[string]time.Duration // of few boots: those that the store has readings of
	unknown map[string]bool          // boots that the store has no offset of
}

// ErrBehind says that the clock is said to be right and stands before the program was built: a dead battery, or a mistaken
// trust in the clock. It is not taken.
var ErrBehind = errors.New("the clock stands before this program was built: set it, or see whether its battery is dead")

// New makes the clock of the running kernel. built is when the program was built, which has certainly passed; last is a time that was taken for
// right before, which may have been a mistake.
func New(kernelBoot string, source Source, store Store, built, last time.Time) *Clock {
	return &Clock{source: source, boot: kernelBoot, store: store, built: built, last: last,
		offsets: map[string]time.Duration{}, unknown: map[string]bool{}}
}

// Learn freezes the offset of the running kernel when its clock has become synchronised. It returns true when that
// happened just now; it must be called now and then until the offset is known. An error says that the offset could not
// be kept, or ErrBehind, which is told once; then it is not used.
func (c *Clock) Learn() (learned bool, err error) {
	if _, known := c.offset(c.boot); known {
		return false, nil
	}
	if !c.source.Synchronised() {
		return false, nil
	}
	up, wall := c.source.Up(), c.source.Wall()
	if wall.Before(c.built) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.doubted {
			return false, nil
		}
		c.doubted = true
		return false, fmt.Errorf("%w (it says %s)", ErrBehind, wall.UTC().Format(time.RFC3339))
	}
	offset := time.Duration(wall.UnixNano()) - up
	if err := c.store.Freeze(c.boot, offset); err != nil {
		return false, fmt.Errorf("keeping the clock's offset: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offsets[c.boot] = offset
	delete(c.unknown, c.boot)
	return true, nil
}

// Time returns the wall time of a moment of a kernel's boot in UTC; false while its offset is not known.
func (c *Clock) Time(kernelBoot string, up time.Duration) (time.Time, bool) {
	offset, ok := c.offset(kernelBoot)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, int64(offset+up)).UTC(), true
}

// Now returns the wall time of this moment as readings have it; false while it is not known.
func (c *Clock) Now() (time.Time, bool) { return c.Time(c.boot, c.source.Up()) }

// Up returns the time since power-up.
func (c *Clock) Up() time.Duration { return c.source.Up() }

// Boot returns the id of the running kernel.
func (c *Clock) Boot() string { return c.boot }

// ForTLS returns the time to check certificates with: the system's, but never one before the program was built, and where the
// clock is not synchronised not one before the last time that was known, so that a board whose clock stands at 1970 can still connect.
// A synchronised clock beats what was known before: a wrong battery clock must not lock the board out for ever.
func (c *Clock) ForTLS() time.Time {
	now := c.source.Wall()
	if now.Before(c.built) {
		now = c.built
	} else if c.source.Synchronised() {
		return now
	}
	if now.Before(c.last) {
		return c.last
	}
	return now
}

func (c *Clock) offset(boot string) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset, ok := c.offsets[boot]
	if ok || c.unknown[boot] {
		return offset, ok
	}
	offset, ok, err := c.store.Offset(boot)
	switch {
	case ok:
		c.offsets[boot] = offset
	case err == nil: // an error may pass
		c.unknown[boot] = true
	}
	return offset, ok
}

// PowerUpAge returns how long ago a kernel boot began; false while that is not known. A nil Clock knows nothing.
func (c *Clock) PowerUpAge(kernel string) (time.Duration, bool) {
	if c == nil {
		return 0, false
	}
	began, known := c.Time(kernel, 0)
	now, synchronised := c.Now()
	return now.Sub(began), known && synchronised
}
