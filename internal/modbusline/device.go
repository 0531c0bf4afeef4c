package modbusline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus"
)

// A Device is how a device is reached: its bus, and the driver with its options.
type Device struct {
	Bus     string
	Spec    drivers.Spec
	Options any // a pointer from Spec.Options
}

// NewDevice returns the device on a bus, with the default options. An address in the network speaks
// Modbus TCP, unless rtu says that it passes RTU frames.
func NewDevice(bus string, rtu bool) (Device, error) {
	p, err := drivers.ParsePort(bus)
	switch {
	case err != nil:
		return Device{}, fmt.Errorf("%q %w", bus, err)
	case p.Kind == drivers.ProgramPort:
		return Device{}, fmt.Errorf("%q is a program, which is no line", bus)
	}
	spec := modbus.SpecRTU
	if p.Kind == drivers.TCPPort && !rtu {
		spec = modbus.SpecTCP
	}
	return Device{Bus: bus, Spec: spec, Options: spec.Options()}, nil
}

// Serial reports whether the device is on a line with a baud rate.
func (d *Device) Serial() bool { return d.Spec.Name == modbus.SpecRTU.Name }

// Set sets an option by its key in the configuration, to a value of its type.
func (d *Device) Set(key string, value any) error {
	v := reflect.ValueOf(d.Options).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			v.Field(i).Set(reflect.ValueOf(value))
			return nil
		}
	}
	return fmt.Errorf("%s is not an option of %s", key, d.Spec.Name)
}

// with returns the options with other registers.
func (d *Device) with(registers ...modbus.Register) any {
	switch o := d.Options.(type) {
	case *modbus.RTU:
		c := *o
		c.Registers = registers
		return &c
	default:
		c := *o.(*modbus.TCP)
		c.Registers = registers
		return &c
	}
}

// Unit returns the unit id.
func (d *Device) Unit() int {
	if o, ok := d.Options.(*modbus.RTU); ok {
		return o.UnitID
	}
	return d.Options.(*modbus.TCP).UnitID
}

// Settings returns the options by which the device is reached, as the configuration has them.
func (d *Device) Settings() string {
	o, ok := d.Options.(*modbus.RTU)
	if !ok {
		return fmt.Sprintf("unit_id = %d\n", d.Unit())
	}
	return fmt.Sprintf("unit_id = %d\nbaud = %d\nparity = %q\nstop_bits = %d\n", o.UnitID, o.Baud, o.Parity, o.StopBits)
}

// Identify returns the profiles that fit the device, the best first.
func (d *Device) Identify(ctx context.Context, buses drivers.Buses) (matches []modbus.Match, err error) {
	if err := check(d.with(modbus.Register{Field: "value"})); err != nil {
		return nil, &Mistake{err}
	}
	port, err := buses.Port(ctx, d.Bus, d.Spec.SerialMode(d.Options))
	if err != nil {
		return nil, err
	}
	if c, ok := port.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	if o, ok := d.Options.(*modbus.RTU); ok {
		return modbus.IdentifyRTU(ctx, port, *o)
	}
	return modbus.IdentifyTCP(ctx, port, *d.Options.(*modbus.TCP))
}

// check returns what is wrong with options, an option each.
func check(options any) error {
	return options.(interface{ Check() error }).Check()
}

// open opens the driver with registers.
func (d *Device) open(ctx context.Context, buses drivers.Buses, registers []modbus.Register) (drivers.Driver, error) {
	o := d.with(registers...)
	if err := check(o); err != nil {
		return nil, &Mistake{err}
	}
	return d.Spec.Open(ctx, buses, d.Bus, o)
}

// A Mistake is an error of the one who asks: nothing was sent.
type Mistake struct{ err error }

func (m *Mistake) Error() string { return m.err.Error() }
func (m *Mistake) Unwrap() error { return m.err }

func mistake(format string, args ...any) error { return &Mistake{fmt.Errorf(format, args...)} }

// closing closes a driver after a call, whose error counts.
func closing(d drivers.Driver, err *error) { *err = errors.Join(*err, d.Close()) }
