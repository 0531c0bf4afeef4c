package sht3x

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
)

// Options are what the configuration may set.
type Options struct {
	Address int `toml:"address" doc:"0x44 (pin ADDR to ground) or 0x45 (to the supply)"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, 0x44, 0x45) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("sht3x", "Sensirion SHT30, SHT31, SHT35, SHT85: temperature and humidity", Options{Address: 0x44}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 125), ""),
		kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), ""),
	}
}

// Commands (4.3 to 4.11) and what they take (2.2, table 4).
const (
	cmdStatus  = 0xF32D
	cmdBreak   = 0x3093 // ends periodic measurements
	cmdReset   = 0x30A2 // also turns the heater off
	cmdMeasure = 0x2400 // high repeatability, no clock stretching

	shortTime   = time.Millisecond
	resetTime   = 1500 * time.Microsecond
	measureTime = 15500 * time.Microsecond
)

// Dev is an open chip.
type Dev struct {
	conn   sensirion.Conn
	words  [2]uint16
	fields []drivers.Field
	values [2]drivers.Value
}

// Open finds the chip and brings it into its state after power-up. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{conn: sensirion.Conn{Conn: chip.New(bus, o.Address), Busy: measureTime}, fields: fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.conn.Ask(ctx, cmdStatus, shortTime, d.words[:1]); err != nil {
		if chip.NoAnswer(err) {
			err = fmt.Errorf(`%w; an SHT4x has the same address and does not answer to this: driver = "sht4x"`, err)
		}
		return nil, fmt.Errorf("sht3x: status: %w", d.conn.ExplainAbsent(err, "pin ADDR", 0x44, 0x45))
	}
	for _, step := range []struct {
		command uint16
		takes   time.Duration
	}{{cmdBreak, shortTime}, {cmdReset, resetTime}} {
		if err := d.conn.Command(ctx, step.command); err != nil {
			return nil, fmt.Errorf("sht3x: reset: %w", err)
		}
		if err := drivers.Wait(ctx, step.takes); err != nil {
			return nil, fmt.Errorf("sht3x: reset: %w", err)
		}
	}
	return d, nil
}

// Read makes one measurement and returns temperature (°C) and relative humidity (%RH). It takes 16
// ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.conn.Ask(ctx, cmdMeasure, measureTime, d.words[:]); err != nil {
		return nil, fmt.Errorf("sht3x: measurement: %w", err)
	}
	t := -45 + 175*float64(d.words[0])/65535 // 4.13
	rh := 100 * float64(d.words[1]) / 65535
	d.values[0] = kit.Measured(d.fields[0], t, 2)
	d.values[1] = kit.Measured(d.fields[1], rh, 2)
	return d.values[:], nil
}

// Close does nothing: the chip sleeps between measurements.
func (d *Dev) Close() error { return nil }
