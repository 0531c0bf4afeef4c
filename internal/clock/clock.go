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

// Synchronised reports whether the kernel's clock is disciplined by NTP or the like, and how far it
// may be off at most, as adjtimex(2) says. The latter is what the service that disciplines it has
// stated; 0 is possible.
func Synchronised() (within time.Duration, ok bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil || state == unix.TIME_ERROR {
		return 0, false
	}
	return time.Duration(t.Maxerror) * time.Microsecond, true
}

// Sources of an offset, as contract.ClockEvent has them.
const (
	NTP     = "ntp"     // the kernel's clock is synchronised
	Trusted = "trusted" // the system's clock is taken as right
	HTTPS   = "https"   // Elsewhere
	GNSS    = "gnss"    // Elsewhere
)

// An Offset is when a kernel booted, who said so, and how far that may be off.
type Offset struct {
	Boot        time.Duration // since 1970
	Source      string
	Uncertainty time.Duration // 0: not known
}

// Store keeps the offsets of kernel boots.
type Store interface {
	// Offset returns what was frozen for a kernel boot; false if nothing was.
	Offset(kernelBoot string) (Offset, bool, error)
	// Freeze keeps an offset durably; it is asked once for every kernel boot.
	Freeze(kernelBoot string, offset Offset) error
}

// Source is this machine's clocks; tests set their own.
type Source struct {
	Up           func() time.Duration
	Wall         func() time.Time
	Synchronised func() (within time.Duration, ok bool) // what the kernel says
	Basis        string                                 // why Wall is right whatever the kernel says; "": there is no reason
}

// Elsewhere is asked for the time as long as the system's clock is not known to be right. Its
// methods return at once.
type Elsewhere interface {
	// Offset returns the newest that was heard; false if nothing was.
	Offset() (Offset, bool)
	// Waits says in a sentence for whom or what the time waits; "" for nobody.
	Waits() string
}

// System returns this machine's clocks. If trust is true its wall clock is taken as right at once,
// and if trust is nil that is done if somebody keeps the clock of whom the kernel does not know:
// see Kept.
func System(trust *bool) Source {
	s := Source{Up: Up, Wall: time.Now, Synchronised: Synchronised}
	if _, ok := Synchronised(); ok {
		return s
	}
	switch {
	case trust == nil:
		s.Basis = Kept("/", s.Wall())
	case *trust:
		s.Basis = "trust_clock is set"
	}
	return s
}

// offset returns what the system's clock says of the kernel's boot; false if it is not known to be
// right.
func (s *Source) offset() (Offset, bool) {
	within, ok := s.Synchronised()
	o := Offset{Boot: time.Duration(s.Wall().UnixNano()) - s.Up(), Source: NTP, Uncertainty: within}
	if !ok {
		o.Source, o.Uncertainty = Trusted, 0
	}
	return o, ok || s.Basis != ""
}

// Config is what a Clock is made of.
type Config struct {
	KernelBoot string // the running one
	Source     Source
	Elsewhere  Elsewhere // nil: nobody
	Store      Store
	Built      time.Time     // when the program was built, which has certainly passed
	Last       time.Time     // a time that was taken for right before, which may have been a mistake
	Until      time.Duration // since power-up: from then on nobody waits for the time of the running kernel
	Format     string        // of telemetry, if it needs the time: readings wait for it without limit; else ""
}

// A Clock turns times since power-up into wall times. Its methods may be called from any goroutine.
type Clock struct {
	cfg Config

	mu      sync.Mutex
	refused map[string]bool   // sources whose time was not taken
	offsets map[string]Offset // of few boots: those that the store has readings of
	unknown map[string]bool   // boots that the store has no offset of
}

// Times that are not taken. The first is of a clock that is said to be right: its battery is dead,
// or the trust in it is a mistake.
var (
	ErrBehind = errors.New("the clock is earlier than this program's build date: set it, or check whether its battery is dead")
	ErrWrong  = errors.New("gateway.time_from gives a time that cannot be right")
)

// lifetime is how long after its build a program may run before a time is called absurd.
const lifetime = 20 * 365 * 24 * time.Hour

// New makes the clock of the running kernel.
func New(cfg Config) *Clock {
	return &Clock{cfg: cfg, refused: map[string]bool{}, offsets: map[string]Offset{}, unknown: map[string]bool{}}
}

// Learn freezes the offset of the running kernel when its clock has become synchronised, or when
// somebody else knows the time. It returns true when that happened just now; one goroutine calls it
// now and then until the offset is known. An error says that the offset could not be kept, or is
// ErrBehind or ErrWrong, which are reported once for each source; then it is not used.
func (c *Clock) Learn() (learned bool, err error) {
	if _, known := c.offset(c.cfg.KernelBoot); known {
		return false, nil
	}
	o, ok := c.cfg.Source.offset()
	if ok {
		if wall := c.wall(o); wall.Before(c.cfg.Built) {
			ok, err = false, c.refuse(o, fmt.Errorf("%w (it says %s)", ErrBehind, wall.Format(time.RFC3339)))
		}
	}
	if !ok && c.cfg.Elsewhere != nil {
		if o, ok = c.cfg.Elsewhere.Offset(); ok {
			if wrong := c.wrong(c.wall(o)); wrong != nil {
				ok, err = false, errors.Join(err, c.refuse(o, wrong))
			}
		}
	}
	if !ok {
		return false, err
	}
	if err := c.cfg.Store.Freeze(c.cfg.KernelBoot, o); err != nil {
		return false, fmt.Errorf("storing the clock's offset: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offsets[c.cfg.KernelBoot] = o
	delete(c.unknown, c.cfg.KernelBoot)
	return true, nil
}

// wall returns what time it is now by an offset.
func (c *Clock) wall(o Offset) time.Time { return time.Unix(0, int64(o.Boot+c.cfg.Source.Up())).UTC() }

// Floor returns the latest of two times that have certainly passed.
func Floor(built, last time.Time) time.Time {
	if last.After(built) {
		return last
	}
	return built
}

// wrong says why a time from elsewhere cannot be right; nil if it can.
func (c *Clock) wrong(wall time.Time) error {
	says := wall.Format(time.RFC3339)
	switch {
	case wall.Before(c.cfg.Built):
		return fmt.Errorf("%w: %s is before this program was built (%s)", ErrWrong, says, c.cfg.Built.UTC().Format(time.RFC3339))
	case wall.Before(c.cfg.Last):
		return fmt.Errorf("%w: %s is before the latest time that was known here (%s)", ErrWrong, says, c.cfg.Last.UTC().Format(time.RFC3339))
	case !c.cfg.Built.IsZero() && wall.Sub(c.cfg.Built) > lifetime:
		return fmt.Errorf("%w: %s is more than %d years after this program was built", ErrWrong, says, lifetime/(365*24*time.Hour))
	}
	return nil
}

// refuse notes that the time of a source is not taken, and returns why, the first time.
func (c *Clock) refuse(o Offset, why error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused[o.Source] {
		return nil
	}
	c.refused[o.Source] = true
	return why
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
	return time.Unix(0, int64(offset.Boot+up)).UTC(), true
}

// Now returns the wall time of this moment as readings have it; false while it is not known.
func (c *Clock) Now() (time.Time, bool) { return c.Time(c.cfg.KernelBoot, c.cfg.Source.Up()) }

// Up returns the time since power-up.
func (c *Clock) Up() time.Duration { return c.cfg.Source.Up() }

// Boot returns the id of the running kernel.
func (c *Clock) Boot() string { return c.cfg.KernelBoot }

// ForTLS returns the time to check certificates with: the system's if it is synchronised, else the
// one that was learned, else the system's again, but never one before the program was built or
// before the last time that was known, so that a board whose clock stands at 1970 can still
// connect. A synchronised clock beats what was known before: a wrong battery clock must not lock
// the board out for ever.
func (c *Clock) ForTLS() time.Time {
	now := c.cfg.Source.Wall()
	_, right := c.cfg.Source.offset()
	if now.Before(c.cfg.Built) {
		now = c.cfg.Built
	} else if right {
		return now
	}
	if learned, known := c.Now(); known {
		return learned
	}
	if now.Before(c.cfg.Last) {
		return c.cfg.Last
	}
	return now
}

func (c *Clock) offset(boot string) (Offset, bool) {
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

// State says for people whether the time of the running kernel is known, where it comes from and
// how exact it is, and what waits for it.
func (c *Clock) State() string {
	if o, known := c.offset(c.cfg.KernelBoot); known {
		return o.describe(c.cfg.Source.Basis)
	}
	text := "not set: readings are sent without a time"
	if wait := c.Wait(); wait > 0 {
		text = fmt.Sprintf("not set: nothing is sent for another %v, unless it is set before that", wait.Round(time.Second))
	}
	if c.cfg.Format != "" {
		text = fmt.Sprintf("not set: readings wait for it, since telemetry.format = %q needs the time", c.cfg.Format)
	}
	if c.cfg.Elsewhere != nil {
		if waits := c.cfg.Elsewhere.Waits(); waits != "" {
			text += "; " + waits
		}
		if o, ok := c.cfg.Elsewhere.Offset(); ok {
			if wrong := c.wrong(c.wall(o)); wrong != nil {
				text += "; " + wrong.Error()
			}
		}
	}
	return text
}

func (o Offset) describe(basis string) string {
	within := ""
	if o.Uncertainty > 0 {
		within = fmt.Sprintf(", within %v", o.Uncertainty.Round(time.Millisecond))
	}
	switch o.Source {
	case HTTPS:
		return "from gateway.time_from (the Date of an HTTPS server)" + within
	case GNSS:
		return "from gateway.time_from (a GNSS sensor)" + within
	case Trusted:
		if basis != "" {
			return "taken as right: " + basis
		}
		return "taken as right when it was learned"
	}
	return "synchronised" + within
}

// tolerance is how far the kernel's clock may be beyond the uncertainty of another source before
// that is worth a word.
const tolerance = time.Second

// Doubt says that the kernel's clock, which has become synchronised, differs from the time that
// another source gave before; "" if it does not. Readings keep what was frozen.
func (c *Clock) Doubt() string {
	o, known := c.offset(c.cfg.KernelBoot)
	now, ok := c.cfg.Source.offset()
	if !known || !ok || o.Source == NTP || now.Source != NTP {
		return ""
	}
	off := now.Boot - o.Boot
	if off.Abs() <= o.Uncertainty+tolerance {
		return ""
	}
	than := "later"
	if off < 0 {
		than = "earlier"
	}
	return fmt.Sprintf("the kernel's clock has been synchronised since and is %v %s than the time of this power-up (%s): readings keep that until the next power-up",
		off.Abs().Round(100*time.Millisecond), than, o.describe(c.cfg.Source.Basis))
}

// Format returns the format of telemetry that makes readings wait for the time without limit; "" if
// none does.
func (c *Clock) Format() string { return c.cfg.Format }

// Origin returns the source of the running kernel's time and its uncertainty, 0 if that is not
// known.
func (c *Clock) Origin() (source string, uncertainty time.Duration) {
	o, _ := c.offset(c.cfg.KernelBoot)
	return o.Source, o.Uncertainty
}

// Pending reports whether readings wait for the time of the running kernel.
func (c *Clock) Pending() bool {
	if c.cfg.Format == "" {
		return c.Wait() > 0
	}
	_, known := c.Now()
	return !known
}

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
