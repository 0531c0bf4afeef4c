package drivers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"periph.io/x/conn/v3/i2c"
)

// A Quantity names what a field measures and so fixes its unit.
type Quantity string

const (
	Temperature Quantity = "temperature" // °C
	Pressure    Quantity = "pressure"    // Pa
	Humidity    Quantity = "humidity"    // relative, %RH
	Ratio       Quantity = "ratio"       // 0 to 1
	Percentage  Quantity = "percentage"  // 0 to 100
	Duration    Quantity = "duration"    // s
	Bytes       Quantity = "bytes"       // B
	Count       Quantity = "count"       // a number of things
	Plain       Quantity = ""            // no unit
)

// Unit returns the unit's symbol in the SenML registry (RFC 8428, section 12.1); "" where the quantity has none.
func (q Quantity) Unit() string {
	switch q {
	case Temperature:
		return "Cel"
	case Pressure:
		return "Pa"
	case Humidity:
		return "%RH"
	case Ratio:
		return "/"
	case Percentage:
		return "%"
	case Duration:
		return "s"
	case Bytes:
		return "B"
	case Count:
		return "count"
	}
	return ""
}

// A Field describes one field of a sensor.
type Field struct {
	Name string // lower-case snake case
	Unit string // SenML's symbol, "" for none
	Kind Kind   // what Read returns when the field could be measured
	Doc  string // one line for the operator
}

// A Bus is what a driver is attached to.
type Bus string

const (
	NoBus     Bus = ""       // the machine itself: the configuration names no bus
	I2CBus    Bus = "i2c"    // the configuration's `bus` is a device file such as /dev/i2c-1
	SerialBus Bus = "serial" // the configuration's `bus` is a serial port such as /dev/serial/by-id/…
)

// A Spec is a driver's entry in the table of drivers: everything that the rest of the program knows of it.
type Spec struct {
	Name string // the configuration's `driver`
	Doc  string // one line for the operator
	Bus  Bus
	// Options returns a pointer to a new struct with the defaults, into which the configuration's options are decoded by
	// their `toml` tags. Fields may be of type bool, int, float64, string, time.Duration ("10s"), slices, maps and structs
	// of these. A struct that has a method Check() error is asked after decoding; see OptionError.
	Options func() any
	// Fields returns what Read will return with these options (a pointer as made by Options, checked).
	Fields func(options any) []Field
	// Open finds the device on the bus and prepares it. It may be called again after Close, for instance when the device
	// was unplugged; it leaves nothing behind when it fails.
	Open func(ctx context.Context, buses Buses, bus string, options any) (Driver, error)
}

// An OptionError says which option of a sensor is wrong. Check may return several by errors.Join.
type OptionError struct {
	Key string // as in the configuration, with dots inside: "address", "columns.temp"
	Err error
}

func (e *OptionError) Error() string { return fmt.Sprintf("option %s: %v", e.Key, e.Err) }
func (e *OptionError) Unwrap() error { return e.Err }

// I2C makes the Spec of a driver for a chip on an I2C bus.
func I2C[O any](name, doc string, defaults O, fields func(*O) []Field, open func(context.Context, i2c.Bus, O) (Driver, error)) Spec {
	return Spec{
		Name: name, Doc: doc, Bus: I2CBus,
		Options: func() any { o := defaults; return &o },
		Fields:  func(o any) []Field { return fields(o.(*O)) },
		Open: func(ctx context.Context, buses Buses, bus string, options any) (Driver, error) {
			b, err := buses.I2C(bus)
			if err != nil {
				return nil, err
			}
			return open(ctx, b, *options.(*O))
		},
	}
}

// Serial makes the Spec of a driver for a device on a serial port; mode says how its options set the line up. The port is
// given back (where it has a Close method, by that) when the driver is closed or could not be opened.
func Serial[O any](name, doc string, defaults O, fields func(*O) []Field, mode func(*O) SerialMode, open func(context.Context, Port, O) (Driver, error)) Spec {
	return Spec{
		Name: name, Doc: doc, Bus: SerialBus,
		Options: func() any { o := defaults; return &o },
		Fields:  func(o any) []Field { return fields(o.(*O)) },
		Open: func(ctx context.Context, buses Buses, bus string, options any) (Driver, error) {
			o := options.(*O)
			p, err := buses.Serial(bus, mode(o))
			if err != nil {
				return nil, err
			}
			held := heldPort{port: p}
			held.Driver, err = open(ctx, p, *o)
			if err != nil {
				return nil, errors.Join(err, held.release())
			}
			return held, nil
		},
	}
}

// A heldPort is a driver that gives its port back when it is closed.
type heldPort struct {
	Driver
	port Port
}

func (h heldPort) Close() error { return errors.Join(h.Driver.Close(), h.release()) }

func (h heldPort) release() error {
	if c, ok := h.port.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Machine makes the Spec of a driver that needs no bus.
func Machine[O any](name, doc string, defaults O, fields func(*O) []Field, open func(context.Context, O) (Driver, error)) Spec {
	return Spec{
		Name: name, Doc: doc, Bus: NoBus,
		Options: func() any { o := defaults; return &o },
		Fields:  func(o any) []Field { return fields(o.(*O)) },
		Open: func(ctx context.Context, _ Buses, _ string, options any) (Driver, error) {
			return open(ctx, *options.(*O))
		},
	}
}
