package mcp9808

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Options are what the configuration may set.
type Options struct {
	Address int `toml:"address" doc:"0x18 to 0x1f, by the pins A0 to A2"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, chip.Addresses(0x18, 0x1f)...) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("mcp9808", "Microchip MCP9808: temperature in steps of 0.0625 °C", Options{Address: 0x18}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 125), "of the chip")}
}

// Registers and what goes into them.
const (
	regConfig       = 0x01
	regTemperature  = 0x05
	regManufacturer = 0x06
	regDevice       = 0x07
	regResolution   = 0x08

	manufacturer = 0x0054
	device       = 0x04 // in the upper byte; the lower is the revision

	configRun      = 0x0000
	configShutdown = 0x0100
	finest         = 0x03 // 0.0625 °C

	signBit     = 0x1000
	measureTime = 300 * time.Millisecond // 250 ms is typical, and no longest is given
)

// Dev is an open chip.
type Dev struct {
	chip   *chip.Conn
	closed bool
	fields []drivers.Field
	values [1]drivers.Value
}

// Open finds the chip, starts it and waits for its first measurement. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, o.Address), fields: fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, fmt.Errorf("mcp9808: %w", err)
	}
	if err := d.start(ctx); err != nil {
		return nil, fmt.Errorf("mcp9808: set-up: %w", err)
	}
	return d, nil
}

// identify checks the two ids.
func (d *Dev) identify() error {
	maker, err := d.chip.Read16(regManufacturer)
	if err != nil {
		return d.chip.ExplainAbsent(err, "pins A0 to A2", chip.Addresses(0x18, 0x1f)...)
	}
	if maker != manufacturer {
		return d.chip.WrongID(maker, "not Microchip's, which is 0x0054")
	}
	id, err := d.chip.Read16(regDevice)
	if err != nil {
		return err
	}
	if id>>8 != device {
		return d.chip.WrongID(id, "another chip of Microchip's than the MCP9808, which has 0x04 in the upper byte")
	}
	return nil
}

func (d *Dev) start(ctx context.Context) error {
	if err := d.chip.Write(regResolution, finest); err != nil {
		return err
	}
	if err := d.chip.Write16(regConfig, configRun); err != nil {
		return err
	}
	return drivers.Wait(ctx, measureTime)
}

// Read returns the temperature (°C) that the chip measured last, within the last 300 ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := d.chip.Read16(regTemperature)
	if err != nil {
		return nil, fmt.Errorf("mcp9808: temperature: %w", err)
	}
	d.values[0] = kit.Measured(d.fields[0], celsius(raw), 4)
	return d.values[:], nil
}

// celsius returns the temperature: thirteen bits with sign, in steps of 1/16 °C.
func celsius(raw uint16) float64 {
	t := float64(raw & (signBit - 1))
	if raw&signBit != 0 {
		t -= signBit
	}
	return t / 16
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write16(regConfig, configShutdown); err != nil {
		return fmt.Errorf("mcp9808: sleep: %w", err)
	}
	return nil
}
