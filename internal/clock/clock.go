// Package clock gives readings their time on boards that have no clock at power-up.
//
// Every reading carries CLOCK_BOOTTIME, the time since the kernel started, which no clock step
// changes. Wall time is that plus the offset of the kernel's boot. The offset is learned once, when
// the kernel says that its clock is synchronised, and frozen durably before its first use, so that
// a reading that is delivered twice has the same time twice. Readings that were taken before take
// the same offset. The boot of a kernel is known by its random boot id.
//
// This package decides; it neither sends nor schedules anything, and where offsets are kept is the
// caller's choice: In keeps them in the gateway's store.
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

// Synchronised reports whether the kernel's clock is disciplined by NTP or the like, as adjtimex(2)
// says.
func Synchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR
}

// Store keeps the offsets of kernel boots.
type Store interface {
	// Offset returns what was frozen for a kernel boot; false if nothing was.
	Offset(kernelBoot string) (time.Duration, bool, error)
	// Freeze keeps an offset durably; it is asked once for every kernel boot.
	Freeze(kernelBoot string, offset time.Duration) error
}

// Source is where time comes from; tests set their own.
type Source struct {
	Up           func() time.Duration
	Wall         func() time.Time
	Synchronised func() bool
	Basis        string // why Synchronised is true although the kernel does not say so; "": the kernel says so
}

// System returns this machine's clocks. If trust is true its wall clock is taken as right at once,
// and if trust is nil that is done if somebody keeps the clock of whom the kernel does not know:
// see Kept.
func System(trust *bool) Source {
	s := Source{Up: Up, Wall: time.Now, Synchronised: Synchronised}
	trusted := trust != nil && *trust
	switch {
	case Synchronised():
	case trusted:
		s.Basis = "trust_clock is set"
	case trust == nil:
		s.Basis = Kept("/", s.Wall())
		trusted = s.Basis != ""
	}
	if trusted {
		s.Synchronised = func() bool { return true }
	}
	return s
}

// Config is what a Clock is made of.
type Config struct {
	KernelBoot string // the running one
	Source     Source
	Store      Store
	Built      time.Time     // when the program was built, which has certainly passed
	Last       time.Time     // a time that was taken for right before, which may have been a mistake
	Until      time.Duration // since power-up: from then on nobody waits for the time of the running kernel
}

// A Clock turns times since power-up into wall times. Its methods may be called from any goroutine.
type Clock struct {
	cfg Config

	mu      sync.Mutex
	doubted bool
	offsets map[string]time.Duration // of few boots: those that the store has readings of
	unknown map[string]bool          // boots that the store has no offset of
}

// ErrBehind says that the clock is said to be right and stands before the program was built: a dead
// battery, or a mistaken trust in the clock. It is not taken.
var ErrBehind = errors.New("the clock is earlier than this program's build date: set it, or check whether its battery is dead")

// New makes the clock of the running kernel.
func New(cfg Config) *Clock {
	return &Clock{cfg: cfg, offsets: map[string]time.Duration{}, unknown: map[string]bool{}}
}

// Learn freezes the offset of the running kernel when its clock has become synchronised. It returns
// true when that happened just now; it must be called now and then until the offset is known. An
// error says that the offset could not be kept, or ErrBehind, which is reported once; then it is
// not used.
func (c *Clock) Learn() (learned bool, err error) {
	if _, known := c.offset(c.cfg.KernelBoot); known {
		return false, nil
	}
	if !c.cfg.Source.Synchronised() {
		return false, nil
	}
	up, wall := c.cfg.Source.Up(), c.cfg.Source.Wall()
	if wall.Before(c.cfg.Built) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.doubted {
			return false, nil
		}
		c.doubted = true
		return false, fmt.Errorf("%w (it says %s)", ErrBehind, wall.UTC().Format(time.RFC3339))
	}
	offset := time.Duration(wall.UnixNano()) - up
	if err := c.cfg.Store.Freeze(c.cfg.KernelBoot, offset); err != nil {
		return false, fmt.Errorf("storing the clock's offset: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offsets[c.cfg.KernelBoot] = offset
	delete(c.unknown, c.cfg.KernelBoot)
	return true, nil
}

// Keep freezes the offset of the running kernel once more, if it is known.
func (c *Clock) Keep() error {
	offset, known := c.offset(c.cfg.KernelBoot)
	if !known {
		return nil
	}
	return c.cfg.Store.Freeze(c.cfg.KernelBoot, offset)
}

// Time returns the wall time of a moment of a kernel's boot in UTC; false while its offset is not
// known.
func (c *Clock) Time(kernelBoot string, up time.Duration) (time.Time, bool) {
	offset, ok := c.offset(kernelBoot)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, int64(offset+up)).UTC(), true
}

// Now returns the wall time of this moment as readings have it; false while it is not known.
func (c *Clock) Now() (time.Time, bool) { return c.Time(c.cfg.KernelBoot, c.cfg.Source.Up()) }

// Up returns the time since power-up.
func (c *Clock) Up() time.Duration { return c.cfg.Source.Up() }

// Boot returns the id of the running kernel.
func (c *Clock) Boot() string { return c.cfg.KernelBoot }

// ForTLS returns the time to check certificates with: the system's, but never one before the
// program was built, and if the clock is not synchronised not one before the last time that was
// known, so that a board whose clock stands at 1970 can still connect. A synchronised clock beats
// what was known before: a wrong battery clock must not lock the board out for ever.
func (c *Clock) ForTLS() time.Time {
	now := c.cfg.Source.Wall()
	if now.Before(c.cfg.Built) {
		now = c.cfg.Built
	} else if c.cfg.Source.Synchronised() {
		return now
	}
	if now.Before(c.cfg.Last) {
		return c.cfg.Last
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
	offset, ok, err := c.cfg.Store.Offset(boot)
	switch {
	case ok:
		c.offsets[boot] = offset
	case err == nil: // an error may pass
		c.unknown[boot] = true
	}
	return offset, ok
}

// Wait returns how long sending still waits for the time of the running kernel to become known.
func (c *Clock) Wait() time.Duration {
	if _, known := c.offset(c.cfg.KernelBoot); known {
		return 0
	}
	return max(c.cfg.Until-c.cfg.Source.Up(), 0)
}

// State says for people whether the time of the running kernel is known, why, and what waits for
// it.
func (c *Clock) State() string {
	_, known := c.offset(c.cfg.KernelBoot)
	switch wait := c.Wait(); {
	case known && c.cfg.Source.Basis != "":
		return "taken as right: " + c.cfg.Source.Basis
	case known:
		return "synchronised"
	case wait > 0:
		return fmt.Sprintf("not set: nothing is sent for another %v, unless it is set before that", wait.Round(time.Second))
	}
	return "not set: readings are sent without a time"
}

// Pending reports whether the time of the running kernel may still become known soon.
func (c *Clock) Pending() bool { return c.Wait() > 0 }

// PowerUpAge returns how long ago a kernel boot began; false while that is not known. A nil Clock
// knows nothing.
func (c *Clock) PowerUpAge(kernel string) (time.Duration, bool) {
	if c == nil {
		return 0, false
	}
	began, known := c.Time(kernel, 0)
	now, synchronised := c.Now()
	return now.Sub(began), known && synchronised
}
