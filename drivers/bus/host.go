package bus

import (
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
	serial  map[string]*line   // by the device file's real name
	network map[string]*line   // by the address
	advised map[string]bool    // ports for which a better name was logged

	registered []string // names of the buses that RegisterI2C has entered
}

var _ drivers.Buses = (*Host)(nil)

// New returns a Host that has nothing open.
func New(log *slog.Logger) *Host {
	return &Host{
		log: log, sys: "/sys",
		i2c: map[string]*i2cBus{}, serial: map[string]*line{}, network: map[string]*line{}, advised: map[string]bool{},
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

// Serial returns the port of a device file such as "/dev/serial/by-id/…", or of a USB adapter (see
// drivers.USBName), set up as mode says. Another that wants it is refused until its Close, unless
// the mode of both says that they share it. The Port has a method Close.
func (h *Host) Serial(name string, mode drivers.SerialMode) (drivers.Port, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", name, os.ErrClosed)
	}
	file, err := h.deviceFile(name)
	if err != nil {
		return nil, err
	}
	if held := h.serial[file]; held != nil && !held.stream.isClosed() {
		if err := held.admits(name, mode); err != nil {
			return nil, fmt.Errorf("serial port %s: %w", name, err)
		}
		return h.lease(held), nil
	}
	p, err := openPort(name, file, mode)
	if err != nil {
		return nil, err
	}
	h.adviseName(name, file)
	h.serial[file] = &line{stream: p, name: name, mode: mode}
	return h.lease(h.serial[file]), nil
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
	for _, l := range h.serial {
		errs = append(errs, l.stream.Close())
	}
	for _, l := range h.network {
		errs = append(errs, l.stream.Close())
	}
	clear(h.i2c)
	clear(h.serial)
	clear(h.network)
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
