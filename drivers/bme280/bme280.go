package bme280

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
)

// Options are what the configuration may set.
type Options struct {
	Address           int     `toml:"address"`            // 0x76 (SDO to ground) or 0x77 (SDO to the supply)
	Oversampling      int     `toml:"oversampling"`       // measurements per reading, averaged by the chip: 1, 2, 4, 8 or 16
	TemperatureOffset float64 `toml:"temperature_offset"` // added to the temperature, in °C: -1.5 where the chip is 1.5 °C too warm
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	var errs []error
	if o.Address != 0x76 && o.Address != 0x77 {
		hint := ""
		if o.Address == 76 || o.Address == 77 {
			hint = fmt.Sprintf("; addresses are hexadecimal: write 0x%d", o.Address)
		}
		errs = append(errs, &drivers.OptionError{Key: "address", Err: fmt.Errorf("%#02x; want 0x76 or 0x77%s", o.Address, hint)})
	}
	if o.Oversampling < 1 || o.Oversampling > 16 || bits.OnesCount(uint(o.Oversampling)) != 1 {
		errs = append(errs, &drivers.OptionError{Key: "oversampling", Err: fmt.Errorf("%d; want 1, 2, 4, 8 or 16", o.Oversampling)})
	}
	if !(o.TemperatureOffset >= -20 && o.TemperatureOffset <= 20) {
		errs = append(errs, &drivers.OptionError{Key: "temperature_offset", Err: fmt.Errorf("%v °C; want -20 to 20", o.TemperatureOffset)})
	}
	return errors.Join(errs...)
}

// Spec is the entry of the BME280 in the table of drivers.
var Spec = drivers.I2C("bme280", "Bosch BME280: temperature, humidity and pressure", defaults(), bme.fields, bme.open)

// SpecBMP280 is the entry of the BMP280.
var SpecBMP280 = drivers.I2C("bmp280", "Bosch BMP280: temperature and pressure", defaults(), bmp.fields, bmp.open)

func defaults() Options { return Options{Address: 0x76, Oversampling: 1} }

// A variant is one of the chips that this driver knows.
type variant bool

const (
	bme variant = true // measures humidity
	bmp variant = false
)

func (v variant) String() string {
	if v == bme {
		return "bme280"
	}
	return "bmp280"
}

func (v variant) fields(*Options) []drivers.Field {
	f := []drivers.Field{
		{Name: "temperature", Unit: drivers.Temperature.Unit(), Kind: drivers.KindFloat, Doc: "-40 to 85 °C, of the chip, with temperature_offset"},
		{Name: "pressure", Unit: drivers.Pressure.Unit(), Kind: drivers.KindFloat, Doc: "30,000 to 110,000 Pa, at the sensor's height"},
	}
	if v == bme {
		f = append(f, drivers.Field{Name: "humidity", Unit: drivers.Humidity.Unit(), Kind: drivers.KindFloat, Doc: "0 to 100 % relative, at the corrected temperature"})
	}
	return f
}

// Registers (5.3) and what goes into them.
const (
	regCalib00  = 0x88 // to 0xA1
	regID       = 0xD0
	regReset    = 0xE0
	regCalib26  = 0xE1 // to 0xE7
	regCtrlHum  = 0xF2
	regStatus   = 0xF3
	regCtrlMeas = 0xF4
	regPressMSB = 0xF7 // to 0xFE: pressure, temperature, humidity

	cmdReset        = 0xB6
	modeForced      = 0x01
	modeSleep       = 0x00
	statusMeasuring = 0x08
	statusUpdate    = 0x01 // the calibration is being copied from the chip's memory

	startUp = 2 * time.Millisecond // 1.1, table 1
	polls   = 10                   // looks at the status, a millisecond apart, after the time that the data sheet gives
)

// Dev is an open chip.
type Dev struct {
	variant variant
	o       Options
	bus     i2c.Bus
	cal     calibration
	closed  bool
	buf     [8]byte
	values  [3]drivers.Value
}

// open finds the chip, resets it and reads its calibration.
func (v variant) open(ctx context.Context, bus i2c.Bus, o Options) (drivers.Driver, error) {
	d := &Dev{variant: v, o: o, bus: bus}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.identify(); err != nil {
		return nil, fmt.Errorf("%s: %w", v, err)
	}
	if err := d.reset(ctx); err != nil {
		return nil, fmt.Errorf("%s: reset: %w", v, err)
	}
	if err := d.calibrate(); err != nil {
		return nil, fmt.Errorf("%s: calibration: %w", v, err)
	}
	return d, nil
}

// identify checks the chip's id.
func (d *Dev) identify() error {
	id, err := d.readReg(regID)
	if err != nil {
		other := uint16(0x76 + 0x77 - d.o.Address)
		if d.bus.Tx(other, nil, d.buf[:1]) == nil {
			return fmt.Errorf("%w; a device answers at 0x%02x: if that is it (pin SDO), set address = 0x%02x", err, other, other)
		}
		return err
	}
	is := "an unknown chip"
	switch id {
	case 0x60:
		if d.variant == bme {
			return nil
		}
		is = `a BME280: use driver = "bme280", which has the humidity too`
	case 0x58, 0x57, 0x56: // the latter two are samples
		if d.variant == bmp {
			return nil
		}
		is = `a BMP280, which measures no humidity: use driver = "bmp280"`
	case 0x61:
		is = "a BME680, which this driver cannot read"
	case 0x55:
		is = "a BMP180, which this driver cannot read"
	}
	return fmt.Errorf("the device at 0x%02x on %s has the id 0x%02x: that is %s", d.o.Address, d.bus, id, is)
}

// reset brings the chip into its state after power-up, which is sleep without filter.
func (d *Dev) reset(ctx context.Context) error {
	if err := d.write(regReset, cmdReset); err != nil {
		return err
	}
	return d.waitStatus(ctx, startUp, statusUpdate)
}

func (d *Dev) calibrate() error {
	var low [26]byte
	var high [7]byte
	if err := d.read(regCalib00, low[:]); err != nil {
		return err
	}
	if d.variant == bme {
		if err := d.read(regCalib26, high[:]); err != nil {
			return err
		}
	}
	d.cal = parseCalibration(&low, &high)
	if t := d.cal.t1; t == 0 || t == 0xffff || d.cal.p1 == 0 {
		return fmt.Errorf("the chip has none (dig_T1 %d, dig_P1 %d): it is damaged, or the transfer was disturbed", t, d.cal.p1)
	}
	return nil
}

// Read makes one measurement and returns temperature (°C), pressure (Pa) and, of a BME280, relative humidity (%RH). It takes 10 ms
// without and 112 ms with full oversampling.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.measure(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", d.variant, err)
	}
	rawP := int32(d.buf[0])<<12 | int32(d.buf[1])<<4 | int32(d.buf[2])>>4
	rawT := int32(d.buf[3])<<12 | int32(d.buf[4])<<4 | int32(d.buf[5])>>4
	rawH := int32(d.buf[6])<<8 | int32(d.buf[7])
	if rawT == notMeasured20 {
		return nil, fmt.Errorf("%s: nothing was measured: the chip lost its power during the measurement, or is damaged", d.variant)
	}
	fine := d.cal.fine(rawT)
	t := celsius(fine)
	if t < -40 || t > 85 {
		return nil, fmt.Errorf("%s: %.1f °C is not what the chip can measure: the transfer was disturbed, or the chip is damaged", d.variant, t)
	}
	d.values[0] = value("temperature", t+d.o.TemperatureOffset)
	d.values[1] = drivers.Bad("pressure", "not measured")
	if rawP != notMeasured20 {
		if d.values[1] = value("pressure", d.cal.pascal(rawP, fine)); d.values[1].Float() < 30_000 || d.values[1].Float() > 110_000 {
			d.values[1] = drivers.Bad("pressure", "range")
		}
	}
	if d.variant == bmp {
		return d.values[:2], nil
	}
	d.values[2] = drivers.Bad("humidity", "not measured")
	if rawH != notMeasured16 {
		d.values[2] = value("humidity", atTemperature(d.cal.humidity(rawH, fine), t, t+d.o.TemperatureOffset))
	}
	return d.values[:], nil
}

// value returns a value without the digits that mean nothing: the chip resolves 0.01 °C, 0.18 Pa and 0.008 %RH (1.2 to 1.4).
func value(field string, v float64) drivers.Value { return drivers.Float(field, math.Round(v*100)/100) }

// measure leaves the raw values of a new measurement in buf.
func (d *Dev) measure(ctx context.Context) error {
	os := byte(bits.Len(uint(d.o.Oversampling))) // 1, 2, 4, 8, 16 are coded 1 to 5
	ctrlMeas := os<<5 | os<<2 | modeForced
	var err error
	if d.variant == bme {
		// 5.4.3: ctrl_hum takes effect with the write of ctrl_meas only, so it goes first.
		err = d.write(regCtrlHum, os, regCtrlMeas, ctrlMeas)
	} else {
		err = d.write(regCtrlMeas, ctrlMeas)
	}
	if err != nil {
		return fmt.Errorf("start of a measurement: %w", err)
	}
	if err := d.waitStatus(ctx, d.measuringTime(), statusMeasuring); err != nil {
		return fmt.Errorf("measurement: %w", err)
	}
	n := 6
	if d.variant == bme {
		n = 8
	}
	if err := d.read(regPressMSB, d.buf[:n]); err != nil {
		return fmt.Errorf("result of the measurement: %w", err)
	}
	return nil
}

// measuringTime returns the longest time that a measurement takes (9.1).
func (d *Dev) measuringTime() time.Duration {
	each := time.Duration(d.o.Oversampling) * 2300 * time.Microsecond
	t := 1250*time.Microsecond + each + each + 575*time.Microsecond
	if d.variant == bme {
		t += each + 575*time.Microsecond
	}
	return t
}

// waitStatus waits for d, and then for a bit of the status to be 0.
func (d *Dev) waitStatus(ctx context.Context, after time.Duration, bit byte) error {
	for range polls {
		if err := drivers.Wait(ctx, after); err != nil {
			return err
		}
		status, err := d.readReg(regStatus)
		if err != nil {
			return err
		}
		if status&bit == 0 {
			return nil
		}
		after = time.Millisecond
	}
	return fmt.Errorf("the chip is still busy %d ms after it should have been ready", polls-1)
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.write(regCtrlMeas, modeSleep); err != nil {
		return fmt.Errorf("%s: sleep: %w", d.variant, err)
	}
	return nil
}

// write writes registers: pairs of address and value (6.2.1).
func (d *Dev) write(pairs ...byte) error { return d.bus.Tx(uint16(d.o.Address), pairs, nil) }

// read reads successive registers into b.
func (d *Dev) read(reg byte, b []byte) error { return d.bus.Tx(uint16(d.o.Address), []byte{reg}, b) }

func (d *Dev) readReg(reg byte) (byte, error) {
	err := d.read(reg, d.buf[:1])
	return d.buf[0], err
}
