package drivertest

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Suite is what every driver must pass. Each test is a synctest bubble: waits take no time, and a
// goroutine that a driver leaves behind fails the test.
type Suite struct {
	Spec drivers.Spec
	// Options sets those options that have no working default; nil if all have.
	Options func(options any)
	// New returns a new device on a new bus; nil for drivers without a bus. The device measures
	// always the same.
	New func() *Buses
	// Files are those of the kernel that the driver reads, for drivers of which the test can change
	// them.
	Files []string
	// Checked says that a checksum protects what is measured: a garbled frame never gives values.
	Checked bool
}

// prompt returns how soon after the end of its context a call has to return. A transfer on a fake
// bus takes no time; a serial port has no context, and a driver may wait for it in short pieces.
func (s Suite) prompt() time.Duration {
	if s.Spec.Bus == drivers.SerialBus || s.Spec.Bus == drivers.NetworkBus {
		return 200 * time.Millisecond
	}
	return 0
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	if s.New == nil {
		s.New = None
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"spec", s.spec},
		{"options", s.options},
		{"read", s.read},
		{"cancelled before", s.cancelledBefore},
		{"cancelled during", s.cancelledDuring},
		{"faults while opening", s.openFaults},
		{"faults while reading", s.readFaults},
		{"clock stretching", s.clockStretching},
		{"garbled while opening", s.garbledOpening},
		{"garbled while reading", s.garbledReading},
		{"garbled while writing", s.garbledWriting},
		{"noise", s.noise},
		{"byte by byte", s.byteByByte},
		{"garbled files", s.garbledFiles},
		{"write", s.write},
		{"close", s.close},
	} {
		t.Run(test.name, func(t *testing.T) { synctest.Test(t, test.run) })
	}
}

func (s Suite) read(t *testing.T) {
	d := s.mustOpen(t, s.New())
	for range 3 {
		for _, v := range s.mustRead(t, d) {
			computed := s.Spec.Name == "sim" // not measured in steps of a decimal
			if v.Kind() == drivers.KindFloat && drivers.Decimals(v.Float()) < 0 && !computed {
				t.Errorf("Read: %#v has digits that are noise of binary arithmetic: see drivers.Linear and kit.Measured", v)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func (s Suite) cancelledBefore(t *testing.T) {
	buses := s.New()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := s.Spec.Open(ctx, buses, "bus", s.prepared()); !errors.Is(err, context.Canceled) || d != nil {
		t.Errorf("Open: want no driver and context.Canceled, got %v, %v", d, err)
	}
	if n := buses.Count(); n > 0 {
		t.Errorf("Open: %d transactions although the context had ended", n)
	}
	d := s.mustOpen(t, buses)
	before := buses.Count()
	if values, err := d.Read(ctx); !errors.Is(err, context.Canceled) || values != nil {
		t.Errorf("Read: want no values and context.Canceled, got %#v, %v", values, err)
	}
	if n := buses.Count() - before; n > 0 {
		t.Errorf("Read: %d transactions although the context had ended", n)
	}
	s.mustRead(t, d)
	s.mustClose(t, d)
}

func (s Suite) cancelledDuring(t *testing.T) {
	// At whatever wait the context ends, the call returns promptly; it may have succeeded.
	for _, after := range []time.Duration{time.Nanosecond, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		buses := s.New()
		call := func(name string, f func(ctx context.Context) error) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			begin := time.Now()
			err := f(ctx)
			if took := time.Since(begin); took > after+s.prompt() {
				t.Errorf("%s: took %v although its context ended after %v", name, took, after)
			}
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: want the error of its context wrapped, got %v", name, err)
			}
		}
		call("Open", func(ctx context.Context) error {
			d, err := s.Spec.Open(ctx, buses, "bus", s.prepared())
			if err == nil {
				s.mustClose(t, d)
			}
			return err
		})
		d := s.mustOpen(t, buses)
		call("Read", func(ctx context.Context) error { _, err := d.Read(ctx); return err })
		s.mustRead(t, d)
		s.mustClose(t, d)
	}
}

var errFault = errors.New("injected fault")

func (s Suite) openFaults(t *testing.T) {
	buses := s.New()
	s.mustClose(t, s.mustOpen(t, buses))
	for n := range s.transactions(t, func(t *testing.T, buses *Buses) { s.mustOpen(t, buses) }) {
		buses.FailAt(n, errFault)
		if d, err := s.Spec.Open(t.Context(), buses, "bus", s.prepared()); !errors.Is(err, errFault) || d != nil {
			t.Errorf("transaction %d fails: want no driver and the error wrapped, got %v, %v", n, d, err)
		}
		d := s.mustOpen(t, buses)
		s.mustRead(t, d)
		s.mustClose(t, d)
	}
}

func (s Suite) readFaults(t *testing.T) {
	buses := s.New()
	d := s.mustOpen(t, buses)
	s.mustRead(t, d)
	before := buses.Count()
	s.mustRead(t, d)
	for n := range buses.Count() - before {
		buses.FailAt(n, errFault)
		if values, err := d.Read(t.Context()); !errors.Is(err, errFault) || values != nil {
			t.Errorf("transaction %d fails: want no values and the error wrapped, got %#v, %v", n, values, err)
		}
		s.mustRead(t, d)
	}
	s.mustClose(t, d)
}

// clockStretching slows each transfer down, then holds the clock longer than the adapter bears.
func (s Suite) clockStretching(t *testing.T) {
	if s.Spec.Bus != drivers.I2CBus {
		return
	}
	buses := s.New()
	buses.Stretch(StretchLimit / 10)
	d := s.mustOpen(t, buses)
	s.mustRead(t, d)
	buses.Stretch(2 * StretchLimit)
	if values, err := d.Read(t.Context()); !errors.Is(err, syscall.ETIMEDOUT) || values != nil {
		t.Errorf("the clock is held low: want no values and ETIMEDOUT, got %#v, %v", values, err)
	}
	buses.Stretch(0)
	s.mustRead(t, d)
	s.mustClose(t, d)
}

func (s Suite) close(t *testing.T) {
	buses := s.New()
	d := s.mustOpen(t, buses)
	for range 2 {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	count := buses.Count()
	s.mustClose(t, d)
	if buses.Count() != count {
		t.Error("a further Close uses the bus")
	}
	d = s.mustOpen(t, buses)
	s.mustRead(t, d)
	buses.FailAt(0, errFault)
	_ = d.Close() // with or without an error, but without a panic
	s.mustClose(t, d)
}

// transactions returns how many f makes on a new bus.
func (s Suite) transactions(t *testing.T, f func(*testing.T, *Buses)) int {
	buses := s.New()
	f(t, buses)
	return buses.Count()
}

// prepared returns options that work.
func (s Suite) prepared() any {
	o := s.Spec.Options()
	if s.Options != nil {
		s.Options(o)
	}
	return o
}

func (s Suite) mustOpen(t *testing.T, buses *Buses) drivers.Driver {
	t.Helper()
	d, err := s.Spec.Open(t.Context(), buses, "bus", s.prepared())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

// mustRead reads, and checks the values.
func (s Suite) mustRead(t *testing.T, d drivers.Driver) []drivers.Value {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	values, err := d.Read(ctx)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	s.plausible(t, "undisturbed", values)
	return values
}

func (s Suite) mustClose(t *testing.T, d drivers.Driver) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
