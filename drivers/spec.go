package drivers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"

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
	Voltage     Quantity = "voltage"     // V
	Current     Quantity = "current"     // A
	Power       Quantity = "power"       // W
	Energy      Quantity = "energy"      // J
	Resistance  Quantity = "resistance"  // Ω
	Frequency   Quantity = "frequency"   // Hz
	Illuminance Quantity = "illuminance" // lx
	PPM         Quantity = "ppm"         // parts per million, by volume
	Dust        Quantity = "dust"        // particulate matter, µg/m³
	Speed       Quantity = "speed"       // m/s
	Distance    Quantity = "distance"    // m
	Angle       Quantity = "angle"       // degrees
	Latitude    Quantity = "latitude"    // degrees north, WGS 84
	Longitude   Quantity = "longitude"   // degrees east, WGS 84
	Plain       Quantity = ""            // no unit
)

// Unit returns the unit's symbol in the SenML registries (RFC 8428, section 12.1, and RFC 8798); ""
// if the quantity has none.
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
	case Voltage:
		return "V"
	case Current:
		return "A"
	case Power:
		return "W"
	case Energy:
		return "J"
	case Resistance:
		return "Ohm"
	case Frequency:
		return "Hz"
	case Illuminance:
		return "lx"
	case PPM:
		return "ppm"
	case Dust:
		return "ug/m3"
	case Speed:
		return "m/s"
	case Distance:
		return "m"
	case Angle:
		return "deg"
	case Latitude:
		return "lat"
	case Longitude:
		return "lon"
	}
	return ""
}

// A Spec is a driver's entry in the table of drivers (drivers/all): everything that the rest of the
// program knows about it. I2C, Serial, SharedSerial, Network and Machine make one.
type Spec struct {
	Name string // the configuration's `driver`
	Doc  string // one line for the operator
	Bus  Bus    // the kind of bus that Open asks for
	// Shared says that several sensors may be on one bus and must take turns: the caller holds one
	// lock per bus during each of their calls.
	Shared bool
	// Device is what the kernel calls the class of device files that a driver with NoBus opens,
	// such as gpiochip; "" if it opens none.
	Device string
	// Options returns a pointer to a new struct with the defaults, into which the configuration's
	// options are decoded by their `toml` tags. Fields may be of type bool, int, float64, string,
	// time.Duration ("10s"), slices, maps and structs of these, and *int and the like if 0 is not
	// "none". If a struct has a method Check() error, the caller calls it after decoding; see
	// OptionError. Other methods that it may have: Warnings() []string, what works but is doubtful;
	// SharesWith(other any) error, why the device cannot be on a bus with that of other options;
	// ProfileNames() []string and UseProfile(name string) error, known devices, over whose options
	// those of the sensor are laid; Advise(ctx, buses, bus) (string, error), what to set for the
	// device that answers, after a reading that failed.
	Options func() any
	// Fields describes what Read will return with these options, a pointer from Options whose Check
	// has passed. SerialMode and Open take the same.
	Fields func(options any) []Field
	// SerialMode returns how the port must be set up. It is nil if the driver has no port.
	SerialMode func(options any) SerialMode
	// Open finds the device on the named bus and prepares it. It may be called again after Close,
	// for instance when the device was unplugged. When it fails, it leaves nothing open.
	Open func(ctx context.Context, buses Buses, bus string, options any) (Driver, error)
}

// An OptionError says which option of a sensor is wrong. Check may join several with errors.Join.
type OptionError struct {
	Key string // as in the configuration, with dots inside: "address", "columns.temp"
	Err error
}

func (e *OptionError) Error() string { return fmt.Sprintf("option %s: %v", e.Key, e.Err) }
func (e *OptionError) Unwrap() error { return e.Err }

// AddressOption returns a pointer to the option `address` of a driver for a chip on an I2C bus; nil
// if the driver has none. options is a pointer from s.Options.
func AddressOption(s Spec, options any) *int {
	v := reflect.ValueOf(options)
	if s.Bus != I2CBus || v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	for i := range v.Elem().NumField() {
		if v.Elem().Type().Field(i).Tag.Get("toml") == "address" {
			address, _ := v.Elem().Field(i).Addr().Interface().(*int)
			return address
		}
	}
	return nil
}

// I2C makes the Spec of a driver for a chip on an I2C bus.
func I2C[O any, D Driver](name, doc string, defaults O, fields func(*O) []Field, open func(context.Context, i2c.Bus, O) (D, error)) Spec {
	return Spec{
		Name: name, Doc: doc, Bus: I2CBus, Shared: true,
		Options: func() any { o := defaults; return &o },
		Fields:  func(o any) []Field { return fields(o.(*O)) },
		Open: func(ctx context.Context, buses Buses, bus string, options any) (Driver, error) {
			b, err := buses.I2C(bus)
			if err != nil {
				return nil, err
			}
			return driver(open(ctx, b, *options.(*O)))
		},
	}
}

// Serial makes the Spec of a driver for a device that has a serial port for itself; mode returns
// how its options set the port up. When the driver is closed or could not be opened, the port is
// given back by its Close method, if it has one.
func Serial[O any, D Driver](name, doc string, defaults O, fields func(*O) []Field, mode func(*O) SerialMode, open func(context.Context, Port, O) (D, error)) Spec {
	return onPort(Spec{Name: name, Doc: doc, Bus: SerialBus}, defaults, fields, mode, open)
}

// SharedSerial is Serial for devices that may share a line, because they send only when asked.
func SharedSerial[O any, D Driver](name, doc string, defaults O, fields func(*O) []Field, mode func(*O) SerialMode, open func(context.Context, Port, O) (D, error)) Spec {
	return onPort(Spec{Name: name, Doc: doc, Bus: SerialBus, Shared: true}, defaults, fields, mode, open)
}

// Network is SharedSerial for devices that are reached over TCP only. Sensors with the same address
// share a connection.
func Network[O any, D Driver](name, doc string, defaults O, fields func(*O) []Field, mode func(*O) SerialMode, open func(context.Context, Port, O) (D, error)) Spec {
	return onPort(Spec{Name: name, Doc: doc, Bus: NetworkBus, Shared: true}, defaults, fields, mode, open)
}

// driver returns what an open function returned as a Driver, which is nil if there is an error.
func driver[D Driver](d D, err error) (Driver, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// onPort completes the Spec of a driver on a port that is given back with its driver.
func onPort[O any, D Driver](s Spec, defaults O, fields func(*O) []Field, mode func(*O) SerialMode, open func(context.Context, Port, O) (D, error)) Spec {
	s.Options = func() any { o := defaults; return &o }
	s.Fields = func(o any) []Field { return fields(o.(*O)) }
	s.SerialMode = func(o any) SerialMode {
		m := mode(o.(*O))
		m.Shared = s.Shared
		return m
	}
	s.Open = func(ctx context.Context, buses Buses, bus string, options any) (Driver, error) {
		o := options.(*O)
		p, err := buses.Port(ctx, bus, s.SerialMode(o))
		if err != nil {
			return nil, err
		}
		held := heldPort{port: p}
		held.Driver, err = driver(open(ctx, p, *o))
		if err != nil {
			return nil, errors.Join(err, held.release())
		}
		if w, ok := held.Driver.(Writer); ok {
			return heldWriter{held, w.Write}, nil
		}
		return held, nil
	}
	return s
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

// A heldWriter is the heldPort of a Writer.
type heldWriter struct {
	heldPort
	write func(context.Context, Value) error
}

func (h heldWriter) Write(ctx context.Context, v Value) error { return h.write(ctx, v) }

// Machine makes the Spec of a driver that needs no bus.
func Machine[O any, D Driver](name, doc string, defaults O, fields func(*O) []Field, open func(context.Context, O) (D, error)) Spec {
	return Spec{
		Name: name, Doc: doc, Bus: NoBus,
		Options: func() any { o := defaults; return &o },
		Fields:  func(o any) []Field { return fields(o.(*O)) },
		Open: func(ctx context.Context, _ Buses, _ string, options any) (Driver, error) {
			return driver(open(ctx, *options.(*O)))
		},
	}
}
