package veml7700

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Options are what the configuration may set.
type Options struct {
	Address int `toml:"address" doc:"0x10, the chip's only one"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, address) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("veml7700", "Vishay VEML7700: illuminance, from twilight to sunlight", Options{Address: address}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{kit.Field("illuminance", drivers.Illuminance, drivers.Between(0, 140_000), "")}
}

// Registers, of two bytes, the lower one first.
const (
	address = 0x10

	regConfig    = 0x00
	regPowerSave = 0x03
	regALS       = 0x04
	regID        = 0x07

	id       = 0x81 // in the lower byte; the upper has the address
	shutdown = 0x0001
	wake     = 5 * time.Millisecond // 2.5 ms by the data sheet

	tooFew, tooMany = 100, 10_000 // counts (application note, "auto gain")
	polynomialFrom  = 1000        // lx
)

// A range is a gain and an integration time.
type scale struct {
	config      uint16
	integration time.Duration
	lux         float64 // per count
}

// scales returns the ranges, the finest first. The gains are coded 0 for 1, 1 for 2, 2 for 1/8 and
// 3 for 1/4, from bit 11 on; the integration times 0x1 for 200 ms, 0x0 for 100, 0x8 for 50 and 0xC
// for 25, from bit 6 on.
func scales() []scale {
	return []scale{
		{1<<11 | 0x1<<6, 200 * time.Millisecond, 0.0168},
		{1<<11 | 0x0<<6, 100 * time.Millisecond, 0.0336},
		{0<<11 | 0x0<<6, 100 * time.Millisecond, 0.0672},
		{3<<11 | 0x0<<6, 100 * time.Millisecond, 0.2688},
		{2<<11 | 0x0<<6, 100 * time.Millisecond, 0.5376},
		{2<<11 | 0x8<<6, 50 * time.Millisecond, 1.0752},
		{2<<11 | 0xC<<6, 25 * time.Millisecond, 2.1504},
	}
}

// Dev is an open chip.
type Dev struct {
	chip   *chip.Conn
	scales []scale
	now    int // the scale of the last reading
	closed bool
	fields []drivers.Field
	values [1]drivers.Value
}

// Open finds the chip and puts it to sleep. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, o.Address), scales: scales(), fields: fields(&o)}
	d.now = len(d.scales) - 3
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got, err := d.chip.Read16LE(regID)
	if err != nil {
		return nil, fmt.Errorf("veml7700: %w", err)
	}
	if got&0xFF != id {
		return nil, fmt.Errorf("veml7700: %w", d.chip.WrongID(got, "not a VEML7700, which has 0x81 in the lower byte"))
	}
	if err := errors.Join(d.write(regConfig, shutdown), d.write(regPowerSave, 0)); err != nil {
		return nil, fmt.Errorf("veml7700: set-up: %w", err)
	}
	return d, nil
}

// Read makes one to three measurements, and returns the illuminance (lx). It takes 55 ms in
// sunlight, 205 ms in a room, and up to 0.7 s after the light changed much.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for range 3 {
		counts, err := d.measure(ctx, d.scales[d.now])
		if err != nil {
			return nil, fmt.Errorf("veml7700: measurement: %w", err)
		}
		lux := corrected(float64(counts) * d.scales[d.now].lux)
		d.values[0] = kit.Measured(d.fields[0], lux, 2)
		if counts == 0xFFFF {
			d.values[0] = drivers.Bad("illuminance", "range")
		}
		better := d.better(counts)
		if better == d.now {
			break
		}
		d.now = better
	}
	return d.values[:], nil
}

// better returns the scale with which to measure after that many counts with the present one: the
// same if they are neither too few nor too many, else the finest that will not have too many.
func (d *Dev) better(counts uint16) int {
	last := len(d.scales) - 1
	switch {
	case counts >= tooFew && counts <= tooMany:
		return d.now
	case counts == 0xFFFF:
		return last
	}
	most := float64(counts+1) * d.scales[d.now].lux
	for i, s := range d.scales {
		if most <= s.lux*tooMany {
			return i
		}
	}
	return last
}

// corrected returns the illuminance for what the counts say (application note, "correction
// formula").
func corrected(lux float64) float64 {
	if lux <= polynomialFrom {
		return lux
	}
	return (((6.0135e-13*lux-9.3924e-9)*lux+8.1488e-5)*lux + 1.0023) * lux
}

// measure returns the counts of one measurement.
func (d *Dev) measure(ctx context.Context, s scale) (uint16, error) {
	if err := d.write(regConfig, s.config); err != nil {
		return 0, err
	}
	// The chip does not tell when it is ready, and its times may be longer than they are called.
	if err := drivers.Wait(ctx, wake+2*s.integration); err != nil {
		return 0, err
	}
	counts, err := d.chip.Read16LE(regALS)
	if err != nil {
		return 0, err
	}
	got, err := d.chip.Read16LE(regConfig)
	if err != nil {
		return 0, err
	}
	if got != s.config {
		return 0, fmt.Errorf("the configuration of the device at %s was written as 0x%04x and reads 0x%04x: the chip lost its power", d.chip, s.config, got)
	}
	return counts, d.write(regConfig, s.config|shutdown)
}

func (d *Dev) write(reg byte, v uint16) error { return d.chip.Write(reg, byte(v), byte(v>>8)) }

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.write(regConfig, shutdown); err != nil {
		return fmt.Errorf("veml7700: sleep: %w", err)
	}
	return nil
}
