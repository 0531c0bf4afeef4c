package drivertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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
	ports  []*port // that were handed out

	stretch time.Duration                   // see Stretch
	perByte time.Duration                   // see PerByte
	change  func(n int, said []byte) []byte // see Garble
	things  int                             // that were said since Garble
}

// A Chip is a model of a device on an I2C bus.
type Chip interface {
	// Transfer takes the bytes written in a transfer and fills those read after them. An error is a
	// NACK.
	Transfer(w, r []byte) error
}

// A Device is a model of a device on a serial line or at the end of a connection.
type Device struct {
	// Says returns what the device says as the n-th thing, counted from 0 at the opening of the
	// port. "" is silence. nil: it does not speak by itself.
	Says func(n int) string
	// Every is the time between two things that it says.
	Every time.Duration
	// Answers returns what the device says when it has been sent something. nil: it does not
	// listen.
	Answers func(request []byte) string
	// Delay is how long it takes to answer.
	Delay time.Duration
}

// OnI2C returns an I2C bus with one chip.
func OnI2C(addr uint16, c Chip) *Buses { return &Buses{chips: map[uint16]Chip{addr: c}} }

// OnSerial returns a serial port, or a connection, with a device.
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

// Port implements drivers.Buses. A port is held until its Close.
func (b *Buses) Port(ctx context.Context, name string, mode drivers.SerialMode) (drivers.Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.device == nil {
		return nil, fmt.Errorf("port %s does not exist: %w", name, os.ErrNotExist)
	}
	b.ports = slices.DeleteFunc(b.ports, func(p *port) bool { return p.closed })
	if len(b.ports) > 0 && !(mode.Shared && b.ports[0].mode == mode) {
		return nil, fmt.Errorf("port %s is held by another driver", name)
	}
	p := &port{buses: b, mode: mode, timeout: time.Second, next: time.Now().Add(b.device.Every)}
	b.ports = append(b.ports, p)
	return p, nil
}

// Attach puts a further chip on an I2C bus.
func (b *Buses) Attach(addr uint16, c Chip) { b.chips[addr] = c }

// StretchLimit is how long the adapter of the fake I2C bus bears a clock that is held low: as long
// as Linux's common ones are set to.
const StretchLimit = 100 * time.Millisecond

// Stretch lets the chips hold the clock low for so long in each transfer, which then takes that
// time. Beyond StretchLimit the adapter gives up, with ETIMEDOUT, and the chip has not seen the
// transfer. 0 ends it.
func (b *Buses) Stretch(d time.Duration) { b.stretch = d }

// PerByte lets each byte of a line take that time, and be read by itself. 0: what is said arrives
// at once and as a whole.
func (b *Buses) PerByte(d time.Duration) { b.perByte = d }

// Garble lets what the device says from now on arrive as change returns it: what is read in a
// transfer, of which the length stays, or what is said on a line. n counts these from 0; change may
// keep and alter what was said. nil ends it.
func (b *Buses) Garble(change func(n int, said []byte) []byte) { b.change, b.things = change, 0 }

// arrives returns what comes of something said.
func (b *Buses) arrives(said []byte) []byte {
	if b.change == nil || len(said) == 0 {
		return said
	}
	b.things++
	return b.change(b.things-1, said)
}

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
	if b.stretch > 0 {
		time.Sleep(min(b.stretch, StretchLimit))
	}
	if b.stretch > StretchLimit {
		return os.NewSyscallError("I2C_RDWR", syscall.ETIMEDOUT)
	}
	if err := chip.Transfer(w, r); err != nil {
		return err
	}
	if b.change != nil {
		copy(r, (*Buses)(b).arrives(slices.Clone(r)))
	}
	return nil
}

// NoAnswer returns what a bus says when no device acknowledges.
func NoAnswer() error { return os.NewSyscallError("I2C_RDWR", syscall.ENXIO) }

// A port is the serial port of a Device. Time passes while Read waits.
type port struct {
	buses   *Buses
	mode    drivers.SerialMode
	timeout time.Duration
	said    int
	next    time.Time // when the device speaks next by itself
	coming  []piece   // in the order of their arrival
	free    time.Time // when the line has carried all that was said
	arrived []byte
	closed  bool
}

// A piece is what is going to arrive at a time.
type piece struct {
	at    time.Time
	bytes []byte
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
		wake := p.listen(end)
		if len(p.arrived) > 0 {
			if p.buses.perByte > 0 {
				b = b[:1]
			}
			n := copy(b, p.arrived)
			p.arrived = p.arrived[n:]
			return n, nil
		}
		now := time.Now()
		if !now.Before(end) {
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(wake.Sub(now))
		<-timer.C
	}
}

// listen takes in what the device has said by now, and returns when more arrives, at the latest
// end.
func (p *port) listen(end time.Time) time.Time {
	now, device := time.Now(), p.buses.device
	for device.Says != nil && !p.next.After(now) {
		p.carry(p.next, device.Says(p.said))
		p.said++
		p.next = p.next.Add(device.Every)
	}
	for len(p.coming) > 0 && !p.coming[0].at.After(now) {
		p.arrived = append(p.arrived, p.coming[0].bytes...)
		p.coming = p.coming[1:]
	}
	if device.Says != nil && p.next.Before(end) {
		end = p.next
	}
	if len(p.coming) > 0 && p.coming[0].at.Before(end) {
		end = p.coming[0].at
	}
	return end
}

// carry lets arrive what is said at a time.
func (p *port) carry(at time.Time, text string) {
	said := p.buses.arrives([]byte(text))
	if each := p.buses.perByte; each > 0 {
		for i := range said {
			if p.free.Before(at) {
				p.free = at
			}
			p.free = p.free.Add(each)
			p.coming = append(p.coming, piece{at: p.free, bytes: said[i : i+1]})
		}
	} else {
		p.coming = append(p.coming, piece{at: at, bytes: said})
	}
	slices.SortStableFunc(p.coming, func(a, b piece) int { return a.at.Compare(b.at) })
}

func (p *port) Write(b []byte) (int, error) {
	if p.closed {
		return 0, os.ErrClosed
	}
	if err := p.buses.begin(); err != nil {
		return 0, err
	}
	if device := p.buses.device; device.Answers != nil {
		p.carry(time.Now().Add(device.Delay), device.Answers(b))
	}
	return len(b), nil
}

// Close gives the port back.
func (p *port) Close() error { p.closed = true; return nil }
