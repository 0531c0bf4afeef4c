package dps310

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
	Address      int `toml:"address" doc:"0x77 (pin SDO open or to the supply) or 0x76 (to ground)"`
	Oversampling int `toml:"oversampling" doc:"measurements of the pressure per reading, averaged by the chip: 1, 2, 4, 8, 16, 32, 64 or 128"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(
		chip.CheckAddress(o.Address, 0x76, 0x77),
		kit.CheckOneOf("oversampling", o.Oversampling, 1, 2, 4, 8, 16, 32, 64, 128),
	)
}

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("dps310", "Infineon DPS310: pressure and temperature", Options{Address: 0x77, Oversampling: 16}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 85), "of the chip"),
		kit.Field("pressure", drivers.Pressure, drivers.Between(30_000, 120_000), "at the sensor's height"),
	}
}

// Registers and what goes into them.
const (
	regPressure    = 0x00 // to 0x02
	regTemperature = 0x03 // to 0x05
	regPrsCfg      = 0x06
	regTmpCfg      = 0x07
	regMeasCfg     = 0x08
	regCfg         = 0x09
	regReset       = 0x0C
	regID          = 0x0D
	regCoef        = 0x10 // to 0x21
	regCoefSource  = 0x28
	regCured       = 0x32 // in no data sheet

	id       = 0x10
	reset    = 0x89
	external = 0x80 // of regCoefSource and regTmpCfg: the thermometer in the pressure sensor

	flagCoef, flagSensor, flagTemperature, flagPressure = 0x80, 0x40, 0x20, 0x10
	flags                                               = 0xF0

	sleep, measurePressure, measureTemperature = 0, 1, 2

	shiftPressure = 0x04 // of regCfg: needed where more than eight measurements are averaged

	startTime = 40 * time.Millisecond
)

// Dev is an open chip.
type Dev struct {
	chip   *chip.Conn
	o      Options
	coef   coefficients
	source byte // external, or 0
	hot    bool // it needs the cure
	closed bool
	buf    [3]byte
	fields []drivers.Field
	values [2]drivers.Value
}

// Open finds the chip, resets it and reads its coefficients. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, o.Address), o: o, fields: fields(&o)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, fmt.Errorf("dps310: %w", err)
	}
	if err := d.reset(ctx); err != nil {
		return nil, fmt.Errorf("dps310: reset: %w", err)
	}
	if err := d.calibrate(); err != nil {
		return nil, fmt.Errorf("dps310: coefficients: %w", err)
	}
	return d, nil
}

// identify checks the chip's id.
func (d *Dev) identify() error {
	got, err := d.chip.Read8(regID)
	if err != nil {
		return d.chip.ExplainAbsent(err, "pin SDO", 0x76, 0x77)
	}
	ready, err := d.chip.Read8(regMeasCfg)
	if err != nil {
		return err
	}
	if got == id || got == 0xFF && ready&0x0F != 0x0F && ready&(flagCoef|flagSensor) == flagCoef|flagSensor {
		return nil
	}
	other, err := d.chip.Read8(chip.RegBoschID)
	if err != nil {
		return err
	}
	if is := chip.BoschName(other); is != chip.NotBosch {
		return d.chip.WrongID(other, is)
	}
	return d.chip.WrongID(got, "not a DPS310, which has 0x10")
}

// reset brings the chip into its state after power-up, and waits until it is ready.
func (d *Dev) reset(ctx context.Context) error {
	if err := d.chip.Write(regReset, reset); err != nil {
		return err
	}
	return d.waitFlags(ctx, startTime, flagCoef|flagSensor)
}

func (d *Dev) calibrate() error {
	var b [18]byte
	if err := d.chip.ReadConstant(regCoef, b[:]); err != nil {
		return err
	}
	d.coef = parseCoefficients(&b)
	if d.coef.c1 == 0 || d.coef.c10 == 0 {
		return fmt.Errorf("the chip has none (c1 %v, c10 %v): it is damaged, or the transfer was disturbed", d.coef.c1, d.coef.c10)
	}
	var source, cured [1]byte
	if err := d.chip.ReadConstant(regCoefSource, source[:]); err != nil {
		return err
	}
	err := d.chip.ReadConstant(regCured, cured[:])
	d.source, d.hot = source[0]&external, cured[0]&0x02 == 0
	return err
}

// cure makes the temperature right on chips that need it (see the package's comment).
func (d *Dev) cure() error {
	for _, w := range [][2]byte{{0x0E, 0xA5}, {0x0F, 0x96}, {0x62, 0x02}, {0x0E, 0x00}, {0x0F, 0x00}} {
		if err := d.chip.Write(w[0], w[1]); err != nil {
			return err
		}
	}
	return nil
}

// Read makes one measurement of each and returns temperature (°C) and pressure (Pa). It takes 32 ms
// with the usual oversampling, and 211 ms with full.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rawT, rawP, err := d.measure(ctx)
	if err != nil {
		return nil, fmt.Errorf("dps310: measurement: %w", err)
	}
	if rawT == notMeasured {
		return nil, errors.New("dps310: nothing was measured: the chip lost its power during the measurement, or is damaged")
	}
	scaledT := float64(rawT) / scale(1)
	t := d.coef.celsius(scaledT)
	if !d.fields[0].Contains(t) {
		return nil, fmt.Errorf("dps310: %.1f °C is not what the chip can measure: the transfer was disturbed, or the chip is damaged", t)
	}
	d.values[0] = kit.Measured(d.fields[0], t, 2)
	d.values[1] = drivers.Bad("pressure", "not measured")
	if rawP != notMeasured {
		d.values[1] = kit.Measured(d.fields[1], d.coef.pascal(float64(rawP)/scale(d.o.Oversampling), scaledT), 2)
	}
	return d.values[:], nil
}

// measure returns the raw results. All of the set-up is written each time: a chip that lost its
// power in between needs no new one.
func (d *Dev) measure(ctx context.Context) (rawT, rawP int32, err error) {
	if d.hot {
		if err := d.cure(); err != nil {
			return 0, 0, fmt.Errorf("cure of the temperature: %w", err)
		}
	}
	shift := byte(0)
	if d.o.Oversampling > 8 {
		shift = shiftPressure
	}
	rate := byte(bits.Len(uint(d.o.Oversampling)) - 1)
	for _, w := range [][2]byte{{regTmpCfg, d.source}, {regPrsCfg, rate}, {regCfg, shift}} {
		if err := d.chip.Write(w[0], w[1]); err != nil {
			return 0, 0, err
		}
	}
	if rawT, err = d.one(ctx, measureTemperature, 1, flagTemperature, regTemperature); err != nil {
		return 0, 0, fmt.Errorf("temperature: %w", err)
	}
	if rawP, err = d.one(ctx, measurePressure, d.o.Oversampling, flagPressure, regPressure); err != nil {
		return 0, 0, fmt.Errorf("pressure: %w", err)
	}
	return rawT, rawP, nil
}

// one makes one measurement and returns its raw result.
func (d *Dev) one(ctx context.Context, command byte, samples int, flag, reg byte) (int32, error) {
	now, err := d.chip.Read8(regMeasCfg)
	if err != nil {
		return 0, err
	}
	if err := d.chip.Write(regMeasCfg, now&flags|command); err != nil {
		return 0, err
	}
	takes := 2*time.Millisecond + time.Duration(samples)*1600*time.Microsecond
	if err := d.waitFlags(ctx, takes, flag); err != nil {
		return 0, err
	}
	if err := d.chip.ReadReg(reg, d.buf[:]); err != nil {
		return 0, err
	}
	b := &d.buf
	return signed(uint32(b[0])<<16|uint32(b[1])<<8|uint32(b[2]), 24), nil
}

// waitFlags waits for after, and then for flags to be 1.
func (d *Dev) waitFlags(ctx context.Context, after time.Duration, want byte) error {
	return chip.WaitReady(ctx, after, func() (bool, error) {
		got, err := d.chip.Read8(regMeasCfg)
		return got&want == want, err
	})
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write(regMeasCfg, flags|sleep); err != nil {
		return fmt.Errorf("dps310: sleep: %w", err)
	}
	return nil
}
