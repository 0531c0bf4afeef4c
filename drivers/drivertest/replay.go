package drivertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/record"
)

// Replay plays a recording of `fieldgate record` to a driver, and fails if the driver does
// something else on the bus than it did then, or makes other readings of it. Waits take no time.
func Replay(t *testing.T, spec drivers.Spec, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r record.Recording
	if err := json.Unmarshal(text, &r); err != nil || r.V != record.Version || r.Driver != spec.Name {
		t.Fatalf("%s: want a recording, version %d, of %s; got version %d of %q, %v", file, record.Version, spec.Name, r.V, r.Driver, err)
	}
	options := spec.Options()
	if err := r.DecodeOptions(options); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	synctest.Test(t, func(t *testing.T) { replay(t, spec, options, &r) })
}

func replay(t *testing.T, spec drivers.Spec, options any, r *record.Recording) {
	p := &player{t: t, begin: time.Now(), operations: r.Operations}
	d, err := spec.Open(t.Context(), p, "recording", options)
	if err != nil {
		if len(r.Readings) != 1 || r.Readings[0].Error != err.Error() {
			t.Errorf("Open: %v", err)
		}
		return
	}
	for i, want := range r.Readings {
		if p.next == len(p.operations) {
			break // what is left is the error of Close
		}
		got := record.Reading{At: want.At}
		values, err := d.Read(t.Context())
		if err != nil {
			got.Error = err.Error()
		}
		got.Values = record.Values(values)
		a, errA := json.Marshal(got)
		b, errB := json.Marshal(want)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("reading %d:\nwant %s\n got %s", i, b, a)
		}
	}
	_ = d.Close() // which is part of the recording, whether it fails or not
	if left := len(p.operations) - p.next; left > 0 && !r.Cut {
		t.Errorf("the driver left %d operations of the recording out, the first of them %s", left, show(p.operations[p.next]))
	}
}

// A player is drivers.Buses that answers as a recording says, at its times.
type player struct {
	t          *testing.T
	begin      time.Time
	operations []record.Operation
	next       int
	rest       []byte // of what was read from a port
	timeout    time.Duration
}

func (p *player) I2C(string) (i2c.Bus, error) { return (*playedBus)(p), nil }

func (p *player) Port(context.Context, string, drivers.SerialMode) (drivers.Port, error) {
	p.timeout = time.Second
	return (*playedPort)(p), nil
}

// pass takes the next operation and lets time pass until it has ended.
func (p *player) pass() record.Operation {
	o := p.operations[p.next]
	p.next++
	if wait := time.Duration(o.At*float64(time.Second)) - time.Since(p.begin); wait > 0 {
		<-time.After(wait)
	}
	return o
}

func show(o record.Operation) string {
	text, err := json.Marshal(o)
	return fmt.Sprint(string(text), " ", err)
}

// differs fails the test and returns an error for the driver.
func (p *player) differs(does string) error {
	want := "nothing any more"
	if p.next < len(p.operations) {
		want = show(p.operations[p.next])
	}
	err := fmt.Errorf("operation %d: the driver does %s, and the recording has %s", p.next, does, want)
	p.t.Error(err)
	return err
}

// A playedBus is a player as an I2C bus.
type playedBus player

func (b *playedBus) String() string                  { return "recording" }
func (b *playedBus) SetSpeed(physic.Frequency) error { return errors.ErrUnsupported }

func (b *playedBus) Tx(addr uint16, w, r []byte) error {
	p := (*player)(b)
	if p.next < len(p.operations) {
		o := p.operations[p.next]
		if o.Address == addr && bytes.Equal(o.Write, w) && len(o.Read)+o.Size == len(r) {
			copy(r, o.Read)
			return p.pass().Fault.Err()
		}
	}
	return p.differs(fmt.Sprintf("a transfer with 0x%02x, write %x, read %d bytes", addr, w, len(r)))
}

// A playedPort is a player as a serial port or a connection.
type playedPort player

func (p *playedPort) SetReadTimeout(d time.Duration) error { p.timeout = d; return nil }

func (p *playedPort) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.next == len(p.operations) || len(p.operations[p.next].Write) > 0 {
			<-time.After(p.timeout) // the device says nothing before it is told something
			return 0, os.ErrDeadlineExceeded
		}
		o := (*player)(p).pass()
		if o.Fault != nil {
			return 0, o.Fault.Err()
		}
		p.rest = o.Read
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *playedPort) Write(b []byte) (int, error) {
	p.rest = nil
	// what the driver does not want to hear any more
	for p.next < len(p.operations) && len(p.operations[p.next].Write) == 0 {
		p.next++
	}
	if p.next == len(p.operations) || !bytes.Equal(p.operations[p.next].Write, b) {
		return 0, (*player)(p).differs(fmt.Sprintf("a write of %x", b))
	}
	if err := (*player)(p).pass().Fault.Err(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close does nothing.
func (p *playedPort) Close() error { return nil }
