package ina219

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Options are what the configuration may set.
type Options struct {
	Address int     `toml:"address" doc:"0x40 to 0x4f, by the pins A0 and A1"`
	Shunt   float64 `toml:"shunt" doc:"resistance of the shunt, 0.00001 to 100 Ω: R100 on it means 0.1, R010 0.01, R002 0.002"`
	Samples int     `toml:"samples" doc:"measurements per reading, averaged by the chip: 1, 4, 16, 64 or 128; one takes 1.2 ms (INA219) or 2.4 ms (INA226)"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(
		chip.CheckAddress(o.Address, chip.Addresses(0x40, 0x4f)...),
		kit.CheckRange("shunt", o.Shunt, 0.00001, 100, "Ω"),
		kit.CheckOneOf("samples", o.Samples, 1, 4, 16, 64, 128),
	)
}

// Spec is the entry of the INA219 in the table of drivers.
var Spec = drivers.I2C("ina219", "TI INA219: voltage up to 26 V, current and power of a supply line", defaults(), ina219().fields, Open)

// SpecINA226 is the entry of the INA226.
var SpecINA226 = drivers.I2C("ina226", "TI INA226: voltage up to 36 V, current and power of a supply line", defaults(), ina226().fields, OpenINA226)

func defaults() Options { return Options{Address: 0x40, Shunt: 0.1, Samples: 16} }

func (v variant) fields(o *Options) []drivers.Field {
	amperes := float64(v.shuntMost) * v.shuntLSB / o.Shunt
	return []drivers.Field{
		kit.Field("voltage", drivers.Voltage, drivers.Between(0, v.busMost), "of the line behind the shunt, against ground"),
		kit.Field("current", drivers.Current, drivers.Between(-amperes, amperes), "through the shunt, positive from IN+ to IN-"),
		kit.Field("power", drivers.Power, drivers.Between(-amperes*v.busMost, amperes*v.busMost), "voltage times current"),
	}
}

// Registers.
const (
	regConfig       = 0x00
	regShunt        = 0x01
	regBus          = 0x02
	regMask         = 0x06 // INA226: has the flags
	regManufacturer = 0xFE // INA226
	regDie          = 0xFF // INA226

	reset = 0x8000 // of the configuration
)

// Dev is an open chip.
type Dev struct {
	variant
	chip   *chip.Conn
	shunt  float64
	config uint16
	takes  time.Duration
	closed bool
	fields []drivers.Field
	values [3]drivers.Value
}

// Open finds an INA219 and resets it. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return ina219().open(ctx, bus, o)
}

// OpenINA226 is Open for an INA226.
func OpenINA226(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return ina226().open(ctx, bus, o)
}

func (v variant) open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{variant: v, fields: v.fields(&o), chip: chip.New(bus, o.Address), shunt: o.Shunt, config: v.once(o.Samples)}
	d.takes = 2 * time.Duration(o.Samples) * v.longest
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	if err := d.reset(); err != nil {
		return nil, fmt.Errorf("%s: reset: %w", v.name, err)
	}
	return d, nil
}

// identify checks what can be checked before anything is written.
func (d *Dev) identify() error {
	config, err := d.chip.Read16(regConfig)
	if err != nil {
		return d.chip.ExplainAbsent(err, "pins A0 and A1", chip.Addresses(0x40, 0x4f)...)
	}
	maker, err := d.chip.Read16(regManufacturer)
	if err != nil {
		return err
	}
	die, err := d.chip.Read16(regDie)
	if err != nil {
		return err
	}
	isINA226 := maker == 0x5449 && die>>4 == 0x226
	switch {
	case d.name == "ina226" && !isINA226:
		return d.chip.WrongID(uint32(maker)<<16|uint32(die), `not an INA226, which has 0x54492260; an INA219 has none: use driver = "ina219" for it`)
	case d.name == "ina219" && isINA226:
		return d.chip.WrongID(uint32(maker)<<16|uint32(die), `an INA226: use driver = "ina226"`)
	case d.name == "ina219" && config&0x4000 != 0:
		return fmt.Errorf("the configuration of the device at %s reads 0x%04x, and that of an INA219 has 0 in bit 14: is it another chip?", d.chip, config)
	}
	return nil
}

// reset brings the chip into its state after power-up.
func (d *Dev) reset() error {
	if err := d.chip.Write16(regConfig, reset); err != nil {
		return err
	}
	got, err := d.chip.Read16(regConfig)
	if err == nil && got != d.initial {
		err = fmt.Errorf("the configuration of the device at %s reads 0x%04x after a reset, and that of an %s 0x%04x: is it another chip?", d.chip, got, d.name, d.initial)
	}
	return err
}

// Read makes one measurement and returns voltage (V), current (A) and power (W).
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	overflow, err := d.measure(ctx)
	var bus, shunt uint16
	if err == nil {
		shunt, err = d.chip.Read16(regShunt)
	}
	if err == nil {
		bus, err = d.chip.Read16(regBus)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: measurement: %w", d.name, err)
	}
	volts := float64(bus>>d.busShift) * d.busLSB
	amperes := float64(int16(shunt)) * d.shuntLSB / d.shunt
	d.values[0] = kit.Measured(d.fields[0], volts, 4)
	d.values[1], d.values[2] = drivers.Bad("current", "overflow"), drivers.Bad("power", "overflow")
	if s := int(int16(shunt)); !overflow && s > -d.shuntMost && s < d.shuntMost {
		d.values[1] = kit.Measured(d.fields[1], amperes, 6)
		d.values[2] = kit.Measured(d.fields[2], volts*amperes, 6)
		if d.values[0].Kind() == drivers.KindBad {
			d.values[2] = drivers.Bad("power", "range")
		}
	}
	return d.values[:], nil
}

// measure makes one measurement and reports whether the chip's arithmetic overflowed.
func (d *Dev) measure(ctx context.Context) (overflow bool, err error) {
	if err := d.chip.Write16(regConfig, d.config); err != nil {
		return false, err
	}
	err = chip.WaitReady(ctx, d.takes, func() (bool, error) {
		flags, err := d.chip.Read16(d.regFlags)
		overflow = flags&d.flagOverflow != 0
		return flags&d.flagReady != 0, err
	})
	if err != nil {
		return false, err
	}
	got, err := d.chip.Read16(regConfig)
	if err == nil && got != d.config {
		err = fmt.Errorf("the configuration of the device at %s was written as 0x%04x and reads 0x%04x: the chip lost its power", d.chip, d.config, got)
	}
	return overflow, err
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write16(regConfig, d.config&^7); err != nil { // mode 000
		return fmt.Errorf("%s: sleep: %w", d.name, err)
	}
	return nil
}

// A variant is one of the chips that this driver knows.
type variant struct {
	name             string
	initial          uint16        // the configuration after a reset
	longest          time.Duration // of one conversion
	shuntLSB, busLSB float64       // V
	busShift         int           // the flags' bits in the register of the bus voltage
	shuntMost        int           // counts at the end of the range
	busMost          float64       // V
	regFlags         byte
	flagReady        uint16
	flagOverflow     uint16
	once             func(samples int) uint16 // the configuration that starts a measurement
}

func ina219() variant {
	return variant{
		name: "ina219", initial: 0x399F, longest: 586 * time.Microsecond,
		shuntLSB: 10e-6, busLSB: 4e-3, busShift: 3, shuntMost: 32000, busMost: 31.996,
		regFlags: regBus, flagReady: 0x0002, flagOverflow: 0x0001,
		once: func(samples int) uint16 {
			adc := uint16(8 + bits.Len(uint(samples)) - 1) // 12 bits, and as many samples
			return 1<<13 | 3<<11 | adc<<7 | adc<<3 | 3     // 32 V, ±320 mV, both voltages once
		},
	}
}

func ina226() variant {
	return variant{
		name: "ina226", initial: 0x4127, longest: 1210 * time.Microsecond,
		shuntLSB: 2.5e-6, busLSB: 1.25e-3, shuntMost: 0x7FFF, busMost: 40.958,
		regFlags: regMask, flagReady: 0x0008, flagOverflow: 0x0004,
		once: func(samples int) uint16 {
			average := map[int]uint16{1: 0, 4: 1, 16: 2, 64: 3, 128: 4}[samples]
			return 1<<14 | average<<9 | 4<<6 | 4<<3 | 3 // 1.1 ms each, both voltages once
		},
	}
}
