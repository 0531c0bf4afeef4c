package drivers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
)

type options struct{ Baud int }

// A testPort counts its closings; testBuses hands it out.
type testPort struct {
	Port
	closed int
}

func (p *testPort) Close() error { p.closed++; return nil }

type testBuses struct {
	port *testPort
	mode SerialMode
}

func (b *testBuses) I2C(name string) (i2c.Bus, error) { return nil, errors.New("no " + name) }

func (b *testBuses) Port(_ context.Context, _ string, mode SerialMode) (Port, error) {
	b.mode = mode
	return b.port, nil
}

type testDriver struct{}

func (testDriver) Read(context.Context) ([]Value, error) { return []Value{Int("n", 1)}, nil }
func (testDriver) Close() error                          { return nil }

func TestSerialGivesItsPortBack(t *testing.T) {
	broken := errors.New("broken")
	var openErr error
	spec := Serial("test", "", options{Baud: 1200},
		func(*options) []Field { return nil },
		func(o *options) SerialMode { return SerialMode{Baud: o.Baud} },
		func(context.Context, Port, options) (Driver, error) { return testDriver{}, openErr })
	buses := &testBuses{port: &testPort{}}
	d, err := spec.Open(t.Context(), buses, "/dev/ttyUSB0", spec.Options())
	if err != nil || buses.mode.Baud != 1200 || buses.port.closed != 0 {
		t.Fatalf("want an open port with 1200 baud, got %+v closed %d times, %v", buses.mode, buses.port.closed, err)
	}
	if values, err := d.Read(t.Context()); err != nil || len(values) != 1 {
		t.Errorf("got %#v, %v", values, err)
	}
	if err := d.Close(); err != nil || buses.port.closed != 1 {
		t.Errorf("want the port closed with its driver, got %d times, %v", buses.port.closed, err)
	}
	openErr = broken
	if d, err := spec.Open(t.Context(), buses, "/dev/ttyUSB0", spec.Options()); d != nil || !errors.Is(err, broken) || buses.port.closed != 2 {
		t.Errorf("want the port closed after a failure, got %v, %v, closed %d times", d, err, buses.port.closed)
	}
}

type testWriter struct{ testDriver }

func (testWriter) Write(context.Context, Value) error { return errors.New("written") }

// A driver is a Writer for the rest of the program if, and only if, it is one by itself.
func TestPortSpecsKeepWriters(t *testing.T) {
	var d Driver
	fields := func(*options) []Field { return nil }
	mode := func(*options) SerialMode { return SerialMode{} }
	openPort := func(context.Context, Port, options) (Driver, error) { return d, nil }
	buses := &testBuses{port: &testPort{}}
	for _, spec := range []Spec{
		Serial("test", "", options{}, fields, mode, openPort),
		SharedSerial("test", "", options{}, fields, mode, openPort),
		Network("test", "", options{}, fields, mode, openPort),
	} {
		for _, d = range []Driver{testDriver{}, testWriter{}} {
			got, err := spec.Open(t.Context(), buses, "bus", spec.Options())
			if err != nil {
				t.Fatal(err)
			}
			w, ok := got.(Writer)
			if _, want := d.(Writer); ok != want {
				t.Errorf("%s bus: want a Writer: %v, got %v", spec.Bus, want, ok)
			}
			if ok && w.Write(t.Context(), Value{}).Error() != "written" {
				t.Error("want the driver's own Write")
			}
			before := buses.port.closed
			if err := got.Close(); err != nil || buses.port.closed != before+1 {
				t.Errorf("want the port given back, got %v", err)
			}
		}
		if spec.Shared != buses.mode.Shared || spec.Bus == NetworkBus && !spec.Shared {
			t.Errorf("%s bus: shared is %v, and %v was asked for", spec.Bus, spec.Shared, buses.mode)
		}
		buses.mode = SerialMode{}
	}
}

func TestOptionsAreCopies(t *testing.T) {
	spec := Machine("test", "", options{Baud: 1}, func(*options) []Field { return nil },
		func(_ context.Context, o options) (Driver, error) { return testDriver{}, nil })
	spec.Options().(*options).Baud = 2
	if got := spec.Options().(*options).Baud; got != 1 {
		t.Errorf("one sensor's options changed the defaults: %d", got)
	}
}

func TestI2CPassesTheBusError(t *testing.T) {
	spec := I2C("test", "", options{}, func(*options) []Field { return nil },
		func(context.Context, i2c.Bus, options) (Driver, error) { return testDriver{}, nil })
	if d, err := spec.Open(t.Context(), &testBuses{}, "/dev/i2c-1", spec.Options()); d != nil || err == nil || err.Error() != "no /dev/i2c-1" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := Wait(t.Context(), time.Second); err != nil || time.Since(begin) != time.Second {
			t.Errorf("waited %v, %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want the error of the context, got %v", err)
		}
		begin = time.Now()
		if err := Wait(ctx, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 0 {
			t.Errorf("want the error at once, got %v", err)
		}
	})
}

func TestAddressOption(t *testing.T) {
	type addressed struct {
		Other   int `toml:"other"`
		Address int `toml:"address"`
	}
	o := &addressed{Address: 0x76}
	p := AddressOption(Spec{Bus: I2CBus}, o)
	if p == nil || *p != 0x76 {
		t.Fatalf("got %v", p)
	}
	if *p = 0x77; o.Address != 0x77 {
		t.Error("the option was not set")
	}
	for _, p := range []*int{AddressOption(Spec{Bus: SerialBus}, o), AddressOption(Spec{Bus: I2CBus}, &options{}), AddressOption(Spec{Bus: I2CBus}, nil)} {
		if p != nil {
			t.Errorf("want none, got %d", *p)
		}
	}
}
