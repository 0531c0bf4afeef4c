package sht4x

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
	Address int `toml:"address" doc:"0x44, 0x45 or 0x46, by the chip's order code: SHT4x-A is 0x44, -B 0x45, -C 0x46"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, 0x44, 0x45, 0x46) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("sht4x", "Sensirion SHT40, SHT41, SHT43, SHT45: temperature and humidity", Options{Address: 0x44}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 125), ""),
		kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), ""),
	}
}

// Commands and the longest times that they take.
const (
	cmdSerial  = 0x89
	cmdReset   = 0x94
	cmdMeasure = 0xFD // high precision

	shortTime   = time.Millisecond
	measureTime = 8300 * time.Microsecond
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
	if err := d.ask(ctx, cmdSerial, shortTime); err != nil {
		if chip.NoAnswer(err) {
			err = fmt.Errorf(`%w; an SHT3x has the same address and does not answer to this: driver = "sht3x"`, err)
		}
		return nil, fmt.Errorf("sht4x: serial number: %w", d.conn.ExplainAbsent(err, "the chip's order code", 0x44, 0x45, 0x46))
	}
	if err := d.conn.Send(ctx, cmdReset); err != nil {
		return nil, fmt.Errorf("sht4x: reset: %w", err)
	}
	if err := drivers.Wait(ctx, shortTime); err != nil {
		return nil, fmt.Errorf("sht4x: reset: %w", err)
	}
	return d, nil
}

// ask sends a command and fetches its answer of two words.
func (d *Dev) ask(ctx context.Context, command byte, takes time.Duration) error {
	if err := d.conn.Send(ctx, command); err != nil {
		return err
	}
	return d.conn.Fetch(ctx, takes, d.words[:])
}

// Read makes one measurement and returns temperature (°C) and relative humidity (%RH). It takes 8
// ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.ask(ctx, cmdMeasure, measureTime); err != nil {
		return nil, fmt.Errorf("sht4x: measurement: %w", err)
	}
	t := -45 + 175*float64(d.words[0])/65535
	// may be a little beyond 0 and 100, where it is to be cut
	rh := -6 + 125*float64(d.words[1])/65535
	d.values[0] = kit.Measured(d.fields[0], t, 2)
	d.values[1] = kit.Measured(d.fields[1], min(max(rh, 0), 100), 2)
	return d.values[:], nil
}

// Close does nothing: the chip sleeps between measurements.
func (d *Dev) Close() error { return nil }
