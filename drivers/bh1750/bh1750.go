package bh1750

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Options are what the configuration may set.
type Options struct {
	Address int `toml:"address" doc:"0x23 (pin ADDR open or to ground) or 0x5c (to the supply)"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, 0x23, 0x5c) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("bh1750", "Rohm BH1750: illuminance", Options{Address: 0x23}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{kit.Field("illuminance", drivers.Illuminance, drivers.Between(0, 121_556), "")}
}

// Instructions, one byte each.
const (
	powerDown = 0x00
	powerOn   = 0x01
	measure   = 0x20 // once, H-resolution mode
	timeUpper = 0x40 // with the upper three bits of the measuring time's register
	timeLower = 0x60 // with its lower five

	usual, short = 69, 31 // measuring times: what the chip starts with, and the least
	longest      = 180 * time.Millisecond
)

// Dev is an open chip.
type Dev struct {
	chip   *chip.Conn
	closed bool
	buf    [2]byte
	fields []drivers.Field
	values [1]drivers.Value
}

// Open looks whether a chip is there. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, o.Address), fields: fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.chip.Read(d.buf[:]); err != nil {
		return nil, fmt.Errorf("bh1750: %w", d.chip.ExplainAbsent(err, "pin ADDR", 0x23, 0x5c))
	}
	return d, nil
}

// Read makes one measurement and returns the illuminance (lx). It takes 180 ms, in bright light 261
// ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lux, ok := 0.0, false
	for _, mt := range []byte{usual, short} {
		raw, err := d.measure(ctx, mt)
		if err != nil {
			return nil, fmt.Errorf("bh1750: measurement: %w", err)
		}
		lux, ok = float64(raw)/1.2*usual/float64(mt), raw != 0xFFFF
		if ok {
			break
		}
	}
	d.values[0] = drivers.Bad("illuminance", "range")
	if ok {
		d.values[0] = kit.Measured(d.fields[0], lux, 1)
	}
	return d.values[:], nil
}

// measure returns the counts of a measurement. Each instruction is a transfer of its own, as the
// chip wants it.
func (d *Dev) measure(ctx context.Context, mt byte) (uint16, error) {
	for _, instruction := range []byte{powerOn, timeUpper | mt>>5, timeLower | mt&0x1F, measure} {
		if err := d.chip.Write(instruction); err != nil {
			return 0, err
		}
	}
	if err := drivers.Wait(ctx, longest*time.Duration(mt)/usual); err != nil {
		return 0, err
	}
	err := d.chip.Read(d.buf[:])
	return binary.BigEndian.Uint16(d.buf[:]), err
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write(powerDown); err != nil {
		return fmt.Errorf("bh1750: sleep: %w", err)
	}
	return nil
}
