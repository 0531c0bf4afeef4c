package bus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

const (
	readTimeout = time.Second // until SetReadTimeout
	// what a Write may take beyond the time that its bytes need on the line
	writeSlack = 2 * time.Second
)

// A port is an open serial port. Close may be called at any time and releases who waits; the rest
// is for one caller at a time.
type port struct {
	name        string
	file        *os.File
	readTimeout time.Duration
	perByte     time.Duration // how long a byte takes on the line
	writeSlack  time.Duration
	closed      atomic.Bool
}

// openPort opens the device file that a name means.
func openPort(name, deviceFile string, mode drivers.SerialMode) (*port, error) {
	m, err := lineMode(mode)
	if err != nil {
		return nil, fmt.Errorf("serial port %s: %w", name, err)
	}
	file, err := os.OpenFile(deviceFile, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, devfile.Explain("serial port", name, deviceFile, err, "is the device plugged in? Names that last are in /dev/serial/by-id", SerialPorts())
	}
	if err := setUp(file, name, deviceFile, m, mode.RS485); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &port{name: name, file: file, readTimeout: readTimeout, writeSlack: writeSlack, perByte: mode.PerByte()}, nil
}

// lineMode fills in the defaults and refuses what go.bug.st/serial would take without a word.
func lineMode(mode drivers.SerialMode) (*serial.Mode, error) {
	m := &serial.Mode{BaudRate: 9600, DataBits: 8, StopBits: serial.OneStopBit}
	switch {
	case mode.Baud < 0 || mode.Baud > 0 && mode.Baud < 50 || mode.Baud > 4_000_000:
		return nil, fmt.Errorf("baud %d; want 50 to 4000000", mode.Baud)
	case mode.Baud > 0:
		m.BaudRate = mode.Baud
	}
	switch {
	case mode.DataBits != 0 && (mode.DataBits < 5 || mode.DataBits > 8):
		return nil, fmt.Errorf("%d data bits; want 5 to 8", mode.DataBits)
	case mode.DataBits != 0:
		m.DataBits = mode.DataBits
	}
	parity := slices.Index([]string{"none", "odd", "even"}, mode.Parity)
	if parity < 0 && mode.Parity != "" {
		return nil, fmt.Errorf("parity %q; want none, odd or even", mode.Parity)
	}
	m.Parity = []serial.Parity{serial.NoParity, serial.OddParity, serial.EvenParity}[max(parity, 0)]
	switch mode.StopBits {
	case 0, 1:
	case 2:
		m.StopBits = serial.TwoStopBits
	default:
		return nil, fmt.Errorf("%d stop bits; want 1 or 2", mode.StopBits)
	}
	return m, nil
}

// setUp takes the port for this program alone and sets the line up. The settings belong to the
// port, not to the file through which they are made: go.bug.st/serial is given a file of its own,
// which is closed at once.
func setUp(file *os.File, name, deviceFile string, m *serial.Mode, rs485 drivers.RS485) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	if err := control(raw, func(fd int) error { _, err := unix.IoctlGetTermios(fd, unix.TCGETS); return err }); err != nil {
		return fmt.Errorf("%s is not a serial port: %w", name, err)
	}
	// The kernel lets root open a port that another program has taken for itself, and anyone a
	// pseudo-terminal: the two would take the bytes from each other.
	if by := devfile.Holders(deviceFile); len(by) > 0 {
		return fmt.Errorf("serial port %s is in use by %s: %w", name, strings.Join(by, ", "), syscall.EBUSY)
	}
	p, err := serial.Open(deviceFile, m)
	if err == nil {
		err = p.Close()
	}
	if err == nil {
		err = control(raw, func(fd int) error {
			if err := takeExclusively(fd); err != nil {
				return err
			}
			if rs485.Enabled {
				if err := setRS485(fd, rs485); err != nil {
					return err
				}
			}
			return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
		})
	}
	if err != nil {
		return fmt.Errorf("serial port %s could not be set up: %w", name, err)
	}
	return nil
}

// takeExclusively lets nobody but root open the port until it is closed. A pseudo-terminal would
// stay taken as long as its other end lives: a gateway that was killed could not open it again.
func takeExclusively(fd int) error {
	const firstPty, lastPty = 136, 143 // the kernel's admin-guide/devices.txt: "Unix98 PTY slaves"
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if major := unix.Major(uint64(st.Rdev)); major >= firstPty && major <= lastPty {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
}

// control calls f with the number of a file.
func control(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	return errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

// SetReadTimeout bounds the Reads that follow; with 0 they return what has already arrived.
func (p *port) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("serial port %s: read timeout %v is negative", p.name, d)
	}
	p.readTimeout = d
	return nil
}

// Read returns at least one byte, or os.ErrDeadlineExceeded after the read timeout.
func (p *port) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	if p.readTimeout == 0 {
		n, err = p.readArrived(b)
	} else if err = p.file.SetReadDeadline(time.Now().Add(p.readTimeout)); err == nil {
		n, err = p.file.Read(b)
	}
	if err != nil {
		return n, p.failed("read", err)
	}
	return n, nil
}

// readArrived reads without waiting. A deadline in the past would not do: with one, an os.File does
// not even try.
func (p *port) readArrived(b []byte) (n int, err error) {
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			if n, readErr = unix.Read(int(fd), b); readErr != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case readErr == unix.EAGAIN:
		return 0, os.ErrDeadlineExceeded
	case readErr != nil:
		return 0, os.NewSyscallError("read", readErr)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write hands b to the kernel. It waits for room in its buffer as long as the bytes need on the
// line, and two seconds more; a device that stopped the flow does not hold it longer.
func (p *port) Write(b []byte) (int, error) {
	limit := time.Duration(len(b))*p.perByte + p.writeSlack
	err := p.file.SetWriteDeadline(time.Now().Add(limit))
	n := 0
	if err == nil {
		n, err = p.file.Write(b)
	}
	if err != nil {
		return n, p.failed("write", err)
	}
	return n, nil
}

// Close gives the port back. A second call does nothing.
func (p *port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	return p.file.Close()
}

func (p *port) isClosed() bool { return p.closed.Load() }

// failed returns an error with the port's name. One that means that the port has gone closes it.
func (p *port) failed(op string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case p.isClosed(): // the errors of os.File are not all os.ErrClosed
		return fmt.Errorf("serial port %s: %s: %w", p.name, op, os.ErrClosed)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return &loss{fmt.Sprintf("serial port %s was unplugged: %s: %v", p.name, op, err), errors.Join(err, p.Close())}
	}
	return fmt.Errorf("serial port %s: %w", p.name, err)
}
