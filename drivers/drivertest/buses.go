package drivertest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/fieldgate/fieldgate/drivers"
)

// Buses is one bus with the device under test. Whatever name is asked for, it is that bus.
type Buses struct {
	faults
	chips  map[uint16]Chip
	device *Device
	port   *port // as handed out last
}

// A Chip is a model of a device on an I2C bus.
type Chip interface {
	// Transfer takes the bytes written in a transfer and fills those read after them. An error is a NACK.
	Transfer(w, r []byte) error
}

// A Device is a model of a device on a serial line.
type Device struct {
	// Says returns what the device says as the n-th thing, counted from 0 at the opening of the port. "" is silence.
	Says func(n int) string
	// Every is the time between two things that it says.
	Every time.Duration
}

// OnI2C returns an I2C bus with one chip.
func OnI2C(addr uint16, c Chip) *Buses { return &Buses{chips: map[uint16]Chip{addr: c}} }

// OnSerial returns a serial port with a device.
func OnSerial(d Device) *Buses { return &Buses{device: &d} }

// None returns no bus, for drivers that need none.
func None() *Buses { return &Buses{} }

// I2C implements drivers.Buses.
func (b *Buses) I2C(name string) (i2c.Bus, error) {
	if b.chips == nil {
		return nil, fmt.Errorf("I2C bus %s does not exist: %w", name, os.ErrNotExist)
	}
	return (*i2cBus)(b), nil
}

// Serial implements drivers.Buses. A port is held until its Close.
func (b *Buses) Serial(name string, _ drivers.SerialMode) (drivers.Port, error) {
	if b.device == nil {
		return nil, fmt.Errorf("serial port %s does not exist: %w", name, os.ErrNotExist)
	}
	if b.port != nil && !b.port.closed {
		return nil, fmt.Errorf("serial port %s is held by another driver", name)
	}
	b.port = &port{buses: b, timeout: time.Second, next: time.Now().Add(b.device.Every)}
	return b.port, nil
}

// Attach puts a further chip on an I2C bus.
func (b *Buses) Attach(addr uint16, c Chip) { b.chips[addr] = c }

// faults counts the transactions of a bus and lets some fail.
type faults struct {
	mu    sync.Mutex
	count int
	at    int // the transaction that fails
	err   error
}

// Count returns how many transactions there were: transfers, or calls of Read and Write.
func (f *faults) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// FailAt lets the transaction fail that comes after n more.
func (f *faults) FailAt(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.err = f.count+n, err
}

// begin counts a transaction and returns its error.
func (f *faults) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.err != nil && f.count-1 == f.at {
		return f.err
	}
	return nil
}

// An i2cBus is Buses as an i2c.Bus.
type i2cBus Buses

func (b *i2cBus) String() string { return "fake" }

func (b *i2cBus) SetSpeed(physic.Frequency) error {
	return errors.New("a driver must not set the speed")
}

func (b *i2cBus) Tx(addr uint16, w, r []byte) error {
	if err := b.begin(); err != nil {
		return err
	}
	chip := b.chips[addr]
	if chip == nil {
		return NoAnswer()
	}
	return chip.Transfer(w, r)
}

// NoAnswer returns what a bus says when nobody acknowledges.
func NoAnswer() error { return os.NewSyscallError("I2C_RDWR", syscall.ENXIO) }

// A port is the serial port of a Device. Time passes while Read waits.
type port struct {
	buses   *Buses
	timeout time.Duration
	said    int
	next    time.Time // when the device speaks next
	arrived []byte
	closed  bool
}

func (p *port) SetReadTimeout(d time.Duration) error { p.timeout = d; return nil }

func (p *port) Read(b []byte) (int, error) {
	if p.closed {
		return 0, os.ErrClosed
	}
	if err := p.buses.begin(); err != nil {
		return 0, err
	}
	for end := time.Now().Add(p.timeout); ; {
		for !p.next.After(time.Now()) {
			p.arrived = append(p.arrived, p.buses.device.Says(p.said)...)
			p.said++
			p.next = p.next.Add(p.buses.device.Every)
		}
		if len(p.arrived) > 0 {
			n := copy(b, p.arrived)
			p.arrived = p.arrived[n:]
			return n, nil
		}
		now := time.Now()
		if !now.Before(end) {
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(min(p.next.Sub(now), end.Sub(now)))
		<-timer.C
	}
}

func (p *port) Write(b []byte) (int, error) {
	if p.closed {
		return 0, os.ErrClosed
	}
	if err := p.buses.begin(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close gives the port back.
func (p *port) Close() error { p.closed = true; return nil }
