package ads1115

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Spec is the entry of the ADS1115 in the table of drivers.
var Spec = drivers.I2C(string(ads1115), "TI ADS1115: four analog inputs, 16 bits, scaled to any unit", Options{Address: 0x48, Rate: 128, variant: ads1115}, fields, Open)

// SpecADS1015 is the entry of the ADS1015.
var SpecADS1015 = drivers.I2C(string(ads1015), "TI ADS1015: four analog inputs, 12 bits, scaled to any unit", Options{Address: 0x48, Rate: 1600, variant: ads1015}, fields, OpenADS1015)

// A variant is one of the chips that this driver knows. They differ in their rates; the results are
// both left-justified.
type variant string

const (
	ads1115 variant = "ads1115"
	ads1015 variant = "ads1015"
)

// rates are the codes of the data rates, by conversions per second.
func rates(v variant) map[int]uint16 {
	if v == ads1015 {
		return map[int]uint16{128: 0, 250: 1, 490: 2, 920: 3, 1600: 4, 2400: 5, 3300: 6}
	}
	return map[int]uint16{8: 0, 16: 1, 32: 2, 64: 3, 128: 4, 250: 5, 475: 6, 860: 7}
}

// Registers and what goes into them.
const (
	regConversion = 0x00
	regConfig     = 0x01

	configStart  = 1 << 15 // written: start a conversion; read: none is under way
	configSingle = 1 << 8
	configNoComp = 0x0003 // the comparator off
	configMux    = 12     // position of the multiplexer's code
	configGain   = 9
	configRate   = 5
)

// Dev is an open chip.
type Dev struct {
	variant variant
	chip    *chip.Conn
	fields  []drivers.Field
	chans   []channel
	takes   time.Duration // the longest time of a conversion
	values  []drivers.Value
}

// A channel is a Channel made ready.
type channel struct {
	config        uint16
	volts         float64 // per count
	scale, offset float64
	decimals      int // to which the value is rounded: a tenth of a count or finer
}

// Open looks whether an ADS1115 is there. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	o.variant = ads1115
	return open(ctx, bus, o)
}

// OpenADS1015 is Open for an ADS1015, which has other rates: start from SpecADS1015.Options, so
// that Check knows them.
func OpenADS1015(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	o.variant = ads1015
	return open(ctx, bus, o)
}

func open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{variant: o.variant, chip: chip.New(bus, o.Address), takes: conversion(o.Rate), fields: fields(&o)}
	if _, err := d.chip.Read16(regConfig); err != nil {
		return nil, fmt.Errorf("%s: %w", d.variant, d.chip.ExplainAbsent(err, "pin ADDR", chip.Addresses(0x48, 0x4b)...))
	}
	names, all := o.channels()
	d.values = make([]drivers.Value, len(names))
	for _, name := range names {
		c := all[name]
		volts := c.fullScale() / 32768
		d.chans = append(d.chans, channel{
			config: inputs()[c.Input]<<configMux | gains()[c.fullScale()]<<configGain | configSingle | rates(o.variant)[o.Rate]<<configRate | configNoComp,
			volts:  volts, scale: c.factor(), offset: c.Offset,
			decimals: max(0, 1+int(math.Ceil(-math.Log10(volts*math.Abs(c.factor()))))),
		})
	}
	return d, nil
}

// conversion returns the longest time of a conversion: the chip's clock may be 10 % slow, and it
// takes 50 µs to wake.
func conversion(rate int) time.Duration {
	return time.Second*11/10/time.Duration(rate) + 50*time.Microsecond
}

// Read measures each channel once and returns them scaled. It takes 8.7 ms a channel at 128
// conversions per second.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, c := range d.chans {
		raw, err := d.convert(ctx, c.config)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", d.variant, d.fields[i].Name, err)
		}
		d.values[i] = drivers.Bad(d.fields[i].Name, "range")
		if counts := int16(raw); counts > -32768 && counts < d.most() {
			d.values[i] = kit.Measured(d.fields[i], float64(counts)*c.volts*c.scale+c.offset, c.decimals)
		}
	}
	return d.values, nil
}

// most returns the largest result, which means that much or more.
func (d *Dev) most() int16 {
	if d.variant == ads1015 {
		return 0x7FF0
	}
	return 0x7FFF
}

// convert makes one conversion.
func (d *Dev) convert(ctx context.Context, config uint16) (uint16, error) {
	if err := d.chip.Write16(regConfig, configStart|config); err != nil {
		return 0, err
	}
	err := chip.WaitReady(ctx, d.takes, func() (bool, error) {
		got, err := d.chip.Read16(regConfig)
		if err == nil && got&^configStart != config {
			err = fmt.Errorf("the configuration of the device at %s was written as 0x%04x and reads 0x%04x: the chip lost its power, or is another one: the TMP102 and LM75 have the same addresses", d.chip, config, got)
		}
		return got&configStart != 0, err
	})
	if err != nil {
		return 0, err
	}
	return d.chip.Read16(regConversion)
}

// Close does nothing: the chip sleeps between conversions.
func (d *Dev) Close() error { return nil }
