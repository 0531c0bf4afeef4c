package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Host hands out the buses of this machine. It is safe for concurrent use.
type Host struct {
	log *slog.Logger
	sys string // where /sys is

	mu      sync.Mutex
	closed  bool
	i2c     map[string]*i2cBus // by the device file's real name
	lines   map[string]*line   // by place: see Port
	opened  int                // lines so far
	advised map[string]bool    // ports for which a better name was logged

	registered []string // names of the buses that RegisterI2C has entered
}

var _ drivers.Buses = (*Host)(nil)

// New returns a Host that has nothing open.
func New(log *slog.Logger) *Host {
	return &Host{
		log: log, sys: "/sys",
		i2c: map[string]*i2cBus{}, lines: map[string]*line{}, advised: map[string]bool{},
	}
}

// I2C returns the bus of a device file such as "/dev/i2c-1". All callers get the same one, until it
// is lost.
func (h *Host) I2C(name string) (i2c.Bus, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", name, os.ErrClosed)
	}
	file := realName(name)
	old := h.i2c[file]
	if old != nil && !old.isLost() {
		return old, nil
	}
	b, err := openI2C(name, h.sys, h.log)
	if err != nil {
		return nil, err
	}
	if old != nil {
		h.log.Info("bus is back", "bus", name)
	}
	h.i2c[file] = b
	return b, nil
}

// Port returns the port of a name (see drivers.PortName), set up as mode says. A serial port is
// refused to others until its Close, unless the mode of both says that they share it; what is none
// is shared likewise, and each that does not share it has its own connection or process. The Port
// has a method Close.
func (h *Host) Port(ctx context.Context, name string, mode drivers.SerialMode) (drivers.Port, error) {
	p, err := drivers.ParsePort(name)
	if err != nil {
		return nil, fmt.Errorf("bus %q %w", name, err)
	}
	switch p.Kind {
	case drivers.TCPPort:
		return h.connect(ctx, "tcp", name, p.Address, mode)
	case drivers.UnixPort:
		return h.connect(ctx, "unix", name, p.Address, mode)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", name, os.ErrClosed)
	}
	if p.Kind == drivers.ProgramPort {
		return h.openLocked(h.placeLocked(name, mode), name, mode, func() (stream, error) { return startProgram(name, p.Program) })
	}
	file, err := h.deviceFile(name)
	if err != nil {
		return nil, err
	}
	return h.openLocked(file, name, mode, func() (stream, error) {
		p, err := openPort(name, file, mode)
		if err != nil {
			return nil, err
		}
		h.adviseName(name, file)
		return p, nil
	})
}

// openLocked returns a lease of the line at a place, which is opened if it is not open yet. h.mu is
// held.
func (h *Host) openLocked(place, name string, mode drivers.SerialMode, open func() (stream, error)) (drivers.Port, error) {
	if l, err := h.openLineLocked(place, name, mode); l != nil || err != nil {
		return l, err
	}
	s, err := open()
	if err != nil {
		return nil, err
	}
	return h.leaseLocked(h.enterLocked(place, name, mode, s)), nil
}

// placeLocked returns the place of a line that is not a serial port: its name, or, if it is not
// shared, one that no other has. h.mu is held.
func (h *Host) placeLocked(name string, mode drivers.SerialMode) string {
	if mode.Shared {
		return name
	}
	h.opened++
	return fmt.Sprint(name, " ", h.opened)
}

// enterLocked makes a line of a stream. h.mu is held.
func (h *Host) enterLocked(place, name string, mode drivers.SerialMode, s stream) *line {
	l := &line{stream: s, place: place, name: name, mode: mode}
	h.lines[place] = l
	return l
}

// openLineLocked returns a lease of the line at a place, nil if none is open there. h.mu is held.
func (h *Host) openLineLocked(place, name string, mode drivers.SerialMode) (drivers.Port, error) {
	held := h.lines[place]
	if held == nil || held.stream.isClosed() {
		return nil, nil
	}
	if err := held.admits(name, mode); err != nil {
		return nil, fmt.Errorf("port %s: %w", name, err)
	}
	return h.leaseLocked(held), nil
}

// Close closes all buses. What was handed out fails with os.ErrClosed from then on.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	var errs []error
	for _, name := range h.registered {
		errs = append(errs, i2creg.Unregister(name))
	}
	h.registered = nil
	for _, b := range h.i2c {
		errs = append(errs, b.Close())
	}
	for _, l := range h.lines {
		errs = append(errs, l.stream.Close())
	}
	clear(h.i2c)
	clear(h.lines)
	return errors.Join(errs...)
}

// realName returns the device file behind the links of /dev/serial/by-id and the like, so that two
// names of a bus are one bus.
func realName(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		return real
	}
	return name
}

// I2CBuses returns the device files of the I2C buses that there are.
func I2CBuses() []string {
	names, _ := filepath.Glob("/dev/i2c-*")
	return names
}
