package record

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/fieldgate/fieldgate/drivers"
)

// A recorder is drivers.Buses that writes down what goes over them.
type recorder struct {
	buses drivers.Buses
	begin time.Time

	mu        sync.Mutex
	recording Recording
}

func newRecorder(buses drivers.Buses) *recorder {
	return &recorder{buses: buses, begin: time.Now(), recording: Recording{V: Version, Operations: []Operation{}, Readings: []Reading{}}}
}

func (r *recorder) I2C(name string) (i2c.Bus, error) {
	b, err := r.buses.I2C(name)
	if err != nil {
		return nil, err
	}
	return &i2cBus{b, r}, nil
}

func (r *recorder) Port(ctx context.Context, name string, mode drivers.SerialMode) (drivers.Port, error) {
	p, err := r.buses.Port(ctx, name, mode)
	if err != nil {
		return nil, err
	}
	return &port{p, r}, nil
}

// at returns the time since the begin, to the microsecond.
func (r *recorder) at() float64 { return math.Round(time.Since(r.begin).Seconds()*1e6) / 1e6 }

func (r *recorder) add(o Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recording.Operations) == MaxOperations {
		r.recording.Cut = true
		return
	}
	o.At = r.at()
	r.recording.Operations = append(r.recording.Operations, o)
}

func (r *recorder) note(values []drivers.Value, err error) {
	reading := Reading{At: r.at(), Values: Values(values)}
	if err != nil {
		reading.Error = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recording.Readings = append(r.recording.Readings, reading)
}

// mark returns how many operations there are, to which rewind goes back.
func (r *recorder) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.recording.Operations)
}

func (r *recorder) rewind(mark int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recording.Operations = r.recording.Operations[:mark]
}

func (r *recorder) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recording.Cut
}

func (r *recorder) finish() *Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &r.recording
}

// An i2cBus is a bus whose transfers are written down.
type i2cBus struct {
	i2c.Bus
	recorder *recorder
}

func (b *i2cBus) Tx(addr uint16, w, in []byte) error {
	err := b.Bus.Tx(addr, w, in)
	o := Operation{Address: addr, Write: clone(w), Fault: faultOf(err)}
	if err == nil {
		o.Read = clone(in)
	} else {
		o.Size = len(in)
	}
	b.recorder.add(o)
	return err
}

func (b *i2cBus) SetSpeed(f physic.Frequency) error { return b.Bus.SetSpeed(f) }

// A port is one whose bytes are written down.
type port struct {
	drivers.Port
	recorder *recorder
}

func (p *port) Read(b []byte) (int, error) {
	n, err := p.Port.Read(b)
	p.recorder.add(Operation{Read: clone(b[:n]), Size: len(b), Fault: faultOf(err)})
	return n, err
}

func (p *port) Write(b []byte) (int, error) {
	n, err := p.Port.Write(b)
	p.recorder.add(Operation{Write: clone(b), Fault: faultOf(err)})
	return n, err
}

// HangUp ends a connection until the next Write.
func (p *port) HangUp() error {
	if c, ok := p.Port.(interface{ HangUp() error }); ok {
		return c.HangUp()
	}
	return nil
}

// Close gives the port back.
func (p *port) Close() error {
	if c, ok := p.Port.(io.Closer); ok {
		return c.Close()
	}
	return errors.ErrUnsupported
}

func clone(b []byte) Bytes { return append(Bytes(nil), b...) }
