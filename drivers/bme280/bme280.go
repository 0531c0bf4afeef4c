package bme280

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
	Address           int     `toml:"address" doc:"0x76 (SDO to ground) or 0x77 (SDO to the supply)"`
	Oversampling      int     `toml:"oversampling" doc:"measurements per reading, averaged by the chip: 1, 2, 4, 8 or 16"`
	TemperatureOffset float64 `toml:"temperature_offset" doc:"added to the temperature, -20 to 20 °C: -1.5 if the chip is 1.5 °C too warm; the humidity is corrected with it"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(
		chip.CheckAddress(o.Address, 0x76, 0x77),
		kit.CheckOneOf("oversampling", o.Oversampling, 1, 2, 4, 8, 16),
		kit.CheckRange("temperature_offset", o.TemperatureOffset, -20, 20, "°C"),
	)
}

// Spec is the entry of the BME280 in the table of drivers.
var Spec = drivers.I2C("bme280", "Bosch BME280: temperature, humidity and pressure", defaults(), bme.fields, Open)

// SpecBMP280 is the entry of the BMP280.
var SpecBMP280 = drivers.I2C("bmp280", "Bosch BMP280: temperature and pressure", defaults(), bmp.fields, OpenBMP280)

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

// The temperatures that the chip can measure, °C.
const coldest, hottest = -40, 85

func (v variant) fields(o *Options) []drivers.Field {
	f := []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(coldest+o.TemperatureOffset, hottest+o.TemperatureOffset), "of the chip, with temperature_offset"),
		kit.Field("pressure", drivers.Pressure, drivers.Between(30_000, 110_000), "at the sensor's height"),
	}
	if v == bme {
		f = append(f, kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), "at the corrected temperature"))
	}
	return f
}

// Registers (5.3) and what goes into them.
const (
	regCalib00  = 0x88 // to 0xA1
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
)

// Dev is an open chip.
type Dev struct {
	variant variant
	o       Options
	chip    *chip.Conn
	cal     calibration
	closed  bool
	buf     [8]byte
	fields  []drivers.Field
	values  [3]drivers.Value
}

// Open finds a BME280, resets it and reads its calibration. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) { return bme.open(ctx, bus, o) }

// OpenBMP280 is Open for a BMP280.
func OpenBMP280(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	return bmp.open(ctx, bus, o)
}

func (v variant) open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{variant: v, o: o, fields: v.fields(&o), chip: chip.New(bus, o.Address)}
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
	id, err := d.chip.Read8(chip.RegBoschID)
	if err != nil {
		return d.chip.ExplainAbsent(err, "pin SDO", 0x76, 0x77)
	}
	switch id {
	case chip.BME280:
		if d.variant == bme {
			return nil
		}
	case chip.BMP280, chip.BMP280Sample, chip.BMP280Sample + 1:
		if d.variant == bmp {
			return nil
		}
	}
	return d.chip.WrongID(id, chip.BoschName(id))
}

// reset brings the chip into its state after power-up, which is sleep without filter.
func (d *Dev) reset(ctx context.Context) error {
	if err := d.chip.Write(regReset, cmdReset); err != nil {
		return err
	}
	return d.waitStatus(ctx, startUp, statusUpdate)
}

func (d *Dev) calibrate() error {
	var low [26]byte
	var high [7]byte
	if err := d.chip.ReadConstant(regCalib00, low[:]); err != nil {
		return err
	}
	if d.variant == bme {
		if err := d.chip.ReadConstant(regCalib26, high[:]); err != nil {
			return err
		}
	}
	d.cal = parseCalibration(&low, &high)
	if t := d.cal.t1; t == 0 || t == 0xffff || d.cal.p1 == 0 {
		return fmt.Errorf("the chip has none (dig_T1 %d, dig_P1 %d): it is damaged, or the transfer was disturbed", t, d.cal.p1)
	}
	return nil
}

// Read makes one measurement and returns temperature (°C), pressure (Pa) and, of a BME280, relative
// humidity (%RH). It takes 10 ms without and 112 ms with full oversampling.
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
	if t < coldest || t > hottest {
		return nil, fmt.Errorf("%s: %.1f °C is not what the chip can measure: the transfer was disturbed, or the chip is damaged", d.variant, t)
	}
	d.values[0] = kit.Measured(d.fields[0], t+d.o.TemperatureOffset, 2)
	d.values[1] = drivers.Bad("pressure", "not measured")
	if rawP != notMeasured20 {
		d.values[1] = kit.Measured(d.fields[1], d.cal.pascal(rawP, fine), 2)
	}
	if d.variant == bmp {
		return d.values[:2], nil
	}
	d.values[2] = drivers.Bad("humidity", "not measured")
	if rawH != notMeasured16 {
		d.values[2] = kit.Measured(d.fields[2], kit.HumidityAt(d.cal.humidity(rawH, fine), t, t+d.o.TemperatureOffset), 2)
	}
	return d.values[:], nil
}

// measure leaves the raw values of a new measurement in buf.
func (d *Dev) measure(ctx context.Context) error {
	os := byte(bits.Len(uint(d.o.Oversampling))) // 1, 2, 4, 8, 16 are coded 1 to 5
	ctrlMeas := os<<5 | os<<2 | modeForced
	var err error
	if d.variant == bme {
		// 5.4.3: ctrl_hum takes effect with the write of ctrl_meas only, so it goes first.
		err = d.chip.Write(regCtrlHum, os, regCtrlMeas, ctrlMeas)
	} else {
		err = d.chip.Write(regCtrlMeas, ctrlMeas)
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
	if err := d.chip.ReadReg(regPressMSB, d.buf[:n]); err != nil {
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

// waitStatus waits for after, and then for a bit of the status to be 0.
func (d *Dev) waitStatus(ctx context.Context, after time.Duration, bit byte) error {
	return chip.WaitReady(ctx, after, func() (bool, error) {
		status, err := d.chip.Read8(regStatus)
		return status&bit == 0, err
	})
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write(regCtrlMeas, modeSleep); err != nil {
		return fmt.Errorf("%s: sleep: %w", d.variant, err)
	}
	return nil
}
