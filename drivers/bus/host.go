package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Host hands out the buses of this machine. It is safe for concurrent use.
type Host struct {
	log *slog.Logger
	sys string // where /sys is

	mu     sync.Mutex
	closed bool
	i2c    map[string]*i2cBus // by the device file's real name
	serial map[string]*port   // by the device file's real name
}

var _ drivers.Buses = (*Host)(nil)

// New returns a Host that has nothing open.
func New(log *slog.Logger) *Host {
	return &Host{log: log, sys: "/sys", i2c: map[string]*i2cBus{}, serial: map[string]*port{}}
}

// I2C returns the bus of a device file such as "/dev/i2c-1". All callers get the same one, until it is lost.
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
	b, err := openI2C(name, h.sys)
	if err != nil {
		return nil, err
	}
	if old != nil {
		h.log.Info("bus is back", "bus", name)
	}
	h.i2c[file] = b
	return b, nil
}

// Serial returns the port of a device file such as "/dev/serial/by-id/…", set up as mode says. It is refused while another holds
// it: until that one's Close. The Port has a method Close.
func (h *Host) Serial(name string, mode drivers.SerialMode) (drivers.Port, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", name, os.ErrClosed)
	}
	file := realName(name)
	if held := h.serial[file]; held != nil && !held.isClosed() {
		return nil, fmt.Errorf("serial port %s is held by another sensor of this gateway (as %s): a port belongs to one sensor", name, held.name)
	}
	p, err := openPort(name, mode)
	if err != nil {
		return nil, err
	}
	h.serial[file] = p
	return p, nil
}

// Close closes all buses. What was handed out fails with os.ErrClosed from then on.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	var errs []error
	for _, b := range h.i2c {
		errs = append(errs, b.Close())
	}
	for _, p := range h.serial {
		errs = append(errs, p.Close())
	}
	clear(h.i2c)
	clear(h.serial)
	return errors.Join(errs...)
}

// realName returns the device file behind the links of /dev/serial/by-id and the like, so that two names of a bus are one bus.
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

// SerialPorts returns the device files of the serial ports that there are, by their lasting names where they have one.
func SerialPorts() []string {
	var names []string
	seen := map[string]bool{}
	for _, pattern := range []string{
		"/dev/serial/by-id/*", "/dev/serial/by-path/*", "/dev/serial[0-9]*", "/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*", "/dev/ttySC*",
	} {
		found, _ := filepath.Glob(pattern)
		for _, name := range found {
			if real := realName(name); !seen[real] {
				seen[real] = true
				names = append(names, name)
			}
		}
	}
	return names
}
