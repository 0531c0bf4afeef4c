package aht20

import (
	"context"
	"errors"
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
	Address int `toml:"address" doc:"0x38, the chip's only one"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, address) }

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("aht20", "Aosong AHT20, AHT21, AHT25: temperature and humidity", Options{Address: address}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 85), ""),
		kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), ""),
	}
}

const (
	address = 0x38

	cmdStatus     = 0x71
	cmdInitialise = 0xBE
	cmdMeasure    = 0xAC

	statusBusy       = 0x80
	statusCalibrated = 0x08

	initTime    = 10 * time.Millisecond // 5.4, step 1
	measureTime = 80 * time.Millisecond // 5.4, step 2
)

// Dev is an open chip.
type Dev struct {
	chip   *chip.Conn
	ready  bool // it was initialised
	buf    [7]byte
	fields []drivers.Field
	values [2]drivers.Value
}

// Open finds the chip and initialises it. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, address), fields: fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.initialise(ctx); err != nil {
		return nil, fmt.Errorf("aht20: initialisation: %w", err)
	}
	return d, nil
}

// initialise makes the chip load its calibration.
func (d *Dev) initialise(ctx context.Context) error {
	if _, err := d.chip.Read8(cmdStatus); err != nil {
		return err
	}
	if err := d.chip.Write(cmdInitialise, 0x08, 0x00); err != nil {
		return err
	}
	if err := drivers.Wait(ctx, initTime); err != nil {
		return err
	}
	status, err := d.chip.Read8(cmdStatus)
	if err != nil {
		return err
	}
	if status&statusCalibrated == 0 {
		return fmt.Errorf("the chip does not load its calibration (status 0x%02x): it is damaged, or the device at %s is not an AHT20", status, d.chip)
	}
	d.ready = true
	return nil
}

// Read makes one measurement and returns temperature (°C) and relative humidity (%RH). It takes 80
// ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.measure(ctx); err != nil {
		return nil, fmt.Errorf("aht20: measurement: %w", err)
	}
	b := &d.buf
	rh := uint32(b[1])<<12 | uint32(b[2])<<4 | uint32(b[3])>>4
	t := uint32(b[3]&0x0F)<<16 | uint32(b[4])<<8 | uint32(b[5])
	d.values[0] = kit.Measured(d.fields[0], float64(t)*200/(1<<20)-50, 2) // 6.2
	d.values[1] = kit.Measured(d.fields[1], float64(rh)*100/(1<<20), 2)   // 6.1
	return d.values[:], nil
}

// measure leaves the status and the raw values of a new measurement in buf.
func (d *Dev) measure(ctx context.Context) error {
	if !d.ready {
		if err := d.initialise(ctx); err != nil {
			return err
		}
	}
	if err := d.chip.Write(cmdMeasure, 0x33, 0x00); err != nil {
		return err
	}
	err := chip.WaitReady(ctx, measureTime, func() (bool, error) {
		err := d.chip.Read(d.buf[:])
		return d.buf[0]&statusBusy == 0, err
	})
	switch {
	case err != nil:
		return err
	case sensirion.CRC(d.buf[:6]...) != d.buf[6]:
		// 5.4: the same checksum as Sensirion's, over all that was read
		return fmt.Errorf("% x: wrong checksum: the transfer was disturbed, or the chip is an AHT10 or AHT15, which have none", d.buf)
	case d.buf[0]&statusCalibrated == 0:
		d.ready = false
		return errors.New("the chip lost its power and must be initialised")
	}
	return nil
}

// Close does nothing: the chip sleeps between measurements.
func (d *Dev) Close() error { return nil }
