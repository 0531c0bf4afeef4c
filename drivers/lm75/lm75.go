package lm75

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
	Address int `toml:"address" doc:"0x48 to 0x4f, by the pins A0 to A2; a TMP102 has 0x48 to 0x4b"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return chip.CheckAddress(o.Address, chip.Addresses(0x48, 0x4f)...) }

// Spec is the entry of the LM75 in the table of drivers.
var Spec = spec(lm75(), Open)

// SpecLM75B is the entry of the LM75B.
var SpecLM75B = spec(lm75b(), OpenLM75B)

// SpecTMP102 is the entry of the TMP102.
var SpecTMP102 = spec(tmp102(), OpenTMP102)

// SpecTMP105 is the entry of the TMP105.
var SpecTMP105 = spec(tmp105(), OpenTMP105)

// SpecTMP1075 is the entry of the TMP1075.
var SpecTMP1075 = spec(tmp1075(), OpenTMP1075)

func spec(v variant, open func(context.Context, i2c.Bus, Options) (*Dev, error)) drivers.Spec {
	return drivers.I2C(v.name, v.doc, Options{Address: 0x48}, v.fields, open)
}

// A variant is one of the chips that this driver knows.
type variant struct {
	name, doc string
	bits      int           // how many of the temperature's word count
	high      float64       // the highest temperature, °C
	sleep     byte          // what puts the chip to sleep; with oneShot, starts one measurement
	mask      byte          // the bits of it that read back as written
	oneShot   bool          // the chip measures when it is told to, else always
	takes     time.Duration // the longest time of a measurement
}

// The configuration's bits that the chips share, in its upper or only byte.
const (
	shutdown = 0x01
	start    = 0x80   // with shutdown: one measurement
	twelve   = 3 << 5 // the highest resolution; a TMP102 has these bits set for good
)

func lm75() variant {
	return variant{name: "lm75", doc: "National, TI LM75, LM75A: temperature in steps of 0.5 °C",
		bits: 9, high: 125, sleep: shutdown, mask: shutdown, takes: 300 * time.Millisecond}
}

func lm75b() variant {
	return variant{name: "lm75b", doc: "NXP LM75B, LM75A: temperature in steps of 0.125 °C",
		bits: 11, high: 125, sleep: shutdown, mask: shutdown, takes: 100 * time.Millisecond}
}

func tmp102() variant {
	return variant{name: "tmp102", doc: "TI TMP102: temperature in steps of 0.0625 °C",
		bits: 12, high: 128, sleep: twelve | shutdown, mask: twelve | shutdown, oneShot: true, takes: 35 * time.Millisecond}
}

func tmp105() variant {
	return variant{name: "tmp105", doc: "TI TMP105, TMP75, TMP175: temperature in steps of 0.0625 °C",
		bits: 12, high: 128, sleep: twelve | shutdown, mask: twelve | shutdown, oneShot: true, takes: 300 * time.Millisecond}
}

func tmp1075() variant {
	return variant{name: "tmp1075", doc: "TI TMP1075: temperature in steps of 0.0625 °C",
		bits: 12, high: 128, sleep: shutdown, mask: shutdown, oneShot: true, takes: 10 * time.Millisecond}
}

func (v variant) fields(*Options) []drivers.Field {
	return []drivers.Field{kit.Field("temperature", drivers.Temperature, drivers.Between(-55, v.high), "of the chip")}
}

// Registers.
const (
	regTemperature = 0x00
	regConfig      = 0x01
	regID          = 0x0F // of a TMP1075
)

// Dev is an open chip.
type Dev struct {
	variant
	chip   *chip.Conn
	closed bool
	fields []drivers.Field
	values [1]drivers.Value
}

// Open finds an LM75 and lets it measure all the time. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return lm75().open(ctx, bus, o)
}

// OpenLM75B is Open for an LM75B.
func OpenLM75B(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return lm75b().open(ctx, bus, o)
}

// OpenTMP102 is Open for a TMP102, which sleeps between readings.
func OpenTMP102(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return tmp102().open(ctx, bus, o)
}

// OpenTMP105 is Open for a TMP105, which sleeps between readings.
func OpenTMP105(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return tmp105().open(ctx, bus, o)
}

// OpenTMP1075 is Open for a TMP1075, which sleeps between readings.
func OpenTMP1075(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return tmp1075().open(ctx, bus, o)
}

// open finds the chip and puts it to sleep, or lets it measure if it cannot measure once.
func (v variant) open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{variant: v, chip: chip.New(bus, o.Address), fields: v.fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	config := v.sleep
	if !v.oneShot {
		config = 0
	}
	if err := d.configure(config); err != nil {
		return nil, fmt.Errorf("%s: set-up: %w", v.name, err)
	}
	if v.oneShot {
		return d, nil
	}
	if err := drivers.Wait(ctx, v.takes); err != nil {
		return nil, fmt.Errorf("%s: first measurement: %w", v.name, err)
	}
	return d, nil
}

// identify checks what can be checked of the chip before anything is written to it.
func (d *Dev) identify() error {
	config, err := d.chip.Read16(regConfig)
	if err != nil {
		return d.chip.ExplainAbsent(err, "pins A0 to A2", chip.Addresses(0x48, 0x4f)...)
	}
	switch d.name {
	case "tmp102":
		if config>>8&twelve != twelve || config&0x0F != 0 {
			return d.otherwise(config, "always 11 in bits 14 and 13 and 0 in the lowest four")
		}
	case "tmp1075":
		id, err := d.chip.Read16(regID)
		if err != nil {
			return err
		}
		if id != 0x7500 {
			return d.chip.WrongID(id, `not a TMP1075, which has 0x7500; the TMP1075N has none: use driver = "tmp105" for it`)
		}
	default:
		// what a chip with a configuration of one byte has in the lower one is not said; bits 7 to
		// 5 are 0 in an LM75
		if !d.oneShot && config>>8&0xE0 != 0 {
			return d.otherwise(config>>8, "0 in the upper three bits")
		}
	}
	return nil
}

// otherwise returns the error for a configuration that the chip cannot have.
func (d *Dev) otherwise(config uint16, want string) error {
	return fmt.Errorf("the configuration of the device at %s reads 0x%02x, and that of a %s has %s: is it another chip, such as an ADS1115?", d.chip, config, d.name, want)
}

// configure writes the configuration and reads it back.
func (d *Dev) configure(config byte) error {
	if err := d.chip.Write(regConfig, config); err != nil {
		return err
	}
	return d.verify(config)
}

// verify checks that the configuration is still as written.
func (d *Dev) verify(config byte) error {
	got, err := d.chip.Read8(regConfig)
	if err != nil {
		return err
	}
	if got&d.mask != config&d.mask {
		return fmt.Errorf("the configuration of the device at %s was written as 0x%02x and reads 0x%02x: the chip lost its power, or is not a %s", d.chip, config, got, d.name)
	}
	return nil
}

// Read returns the temperature (°C). It takes up to 300 ms, the time of a measurement, and none
// with an LM75, which measures always.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := d.measure(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: measurement: %w", d.name, err)
	}
	raw &^= 1<<(16-d.bits) - 1
	d.values[0] = kit.Measured(d.fields[0], float64(int16(raw))/256, 4)
	return d.values[:], nil
}

// measure returns the word of the temperature.
func (d *Dev) measure(ctx context.Context) (uint16, error) {
	if d.oneShot {
		if err := d.chip.Write(regConfig, d.sleep|start); err != nil {
			return 0, err
		}
		if err := drivers.Wait(ctx, d.takes); err != nil {
			return 0, err
		}
	}
	raw, err := d.chip.Read16(regTemperature)
	if err != nil || !d.oneShot {
		return raw, err
	}
	return raw, d.verify(d.sleep) // a chip that lost its power in between says 0 °C
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write(regConfig, d.sleep); err != nil {
		return fmt.Errorf("%s: sleep: %w", d.name, err)
	}
	return nil
}
