package bme680

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
	Address           int           `toml:"address" doc:"0x76 (SDO to ground) or 0x77 (SDO to the supply)"`
	Oversampling      int           `toml:"oversampling" doc:"measurements per reading, averaged by the chip: 1, 2, 4, 8 or 16"`
	TemperatureOffset float64       `toml:"temperature_offset" doc:"added to the temperature, -20 to 20 °C: -1.5 if the chip is 1.5 °C too warm; the humidity is corrected with it"`
	Gas               bool          `toml:"gas" doc:"measure the gas resistance; without it the heater stays off"`
	HeaterTemperature int           `toml:"heater_temperature" doc:"to which the gas sensor is heated, 200 to 400 °C"`
	HeaterDuration    time.Duration `toml:"heater_duration" doc:"for how long, 1ms to 4032ms; it takes 20 to 30 ms to get there"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(
		chip.CheckAddress(o.Address, 0x76, 0x77),
		kit.CheckOneOf("oversampling", o.Oversampling, 1, 2, 4, 8, 16),
		kit.CheckRange("temperature_offset", o.TemperatureOffset, -20, 20, "°C"),
		kit.CheckRange("heater_temperature", float64(o.HeaterTemperature), 200, 400, "°C"),
		kit.CheckRange("heater_duration", float64(o.HeaterDuration)/float64(time.Millisecond), 1, 4032, "ms"),
	)
}

// Spec is the entry of the BME680 in the table of drivers.
var Spec = drivers.I2C("bme680", "Bosch BME680: temperature, humidity, pressure and gas resistance", defaults(), fields, Open)

// SpecBME688 is the entry of the BME688. The chip says which it is, so the drivers are the same.
var SpecBME688 = drivers.I2C("bme688", "Bosch BME688: temperature, humidity, pressure and gas resistance", defaults(), fields, Open)

func defaults() Options {
	return Options{Address: 0x76, Oversampling: 2, Gas: true, HeaterTemperature: 320, HeaterDuration: 150 * time.Millisecond}
}

// The temperatures that the chip can measure, °C.
const coldest, hottest = -40, 85

func fields(o *Options) []drivers.Field {
	f := []drivers.Field{
		kit.Field("temperature", drivers.Temperature, drivers.Between(coldest+o.TemperatureOffset, hottest+o.TemperatureOffset), "of the chip, with temperature_offset"),
		kit.Field("pressure", drivers.Pressure, drivers.Between(30_000, 110_000), "at the sensor's height"),
		kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), "at the corrected temperature"),
	}
	if o.Gas {
		f = append(f, kit.Field("gas_resistance", drivers.Resistance, drivers.Between(1, 200e6), "of the gas sensor; it falls with volatile organic compounds"))
	}
	return f
}

// Registers and what goes into them.
const (
	regField    = 0x1D // to 0x2D: status and results
	regResHeat  = 0x5A
	regGasWait  = 0x64
	regCtrlGas0 = 0x70
	regCtrlGas1 = 0x71
	regCtrlHum  = 0x72
	regCtrlMeas = 0x74
	regReset    = 0xE0
	regVariant  = 0xF0

	cmdReset   = 0xB6
	modeForced = 0x01
	modeSleep  = 0x00
	heaterOff  = 0x08
	runGas     = 0x10 // of a BME680
	runGasHigh = 0x20 // of a BME688

	newData     = 0x80
	gasValid    = 0x20
	heaterThere = 0x10

	startUp = 10 * time.Millisecond
)

// Dev is an open chip.
type Dev struct {
	chip    *chip.Conn
	o       Options
	cal     calibration
	high    bool    // a BME688, which has another gas sensor
	ambient float64 // the last temperature, °C
	closed  bool
	buf     [17]byte
	fields  []drivers.Field
	values  [4]drivers.Value
}

// Open finds the chip, resets it and reads its calibration. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{chip: chip.New(bus, o.Address), o: o, fields: fields(&o), ambient: 25}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id, err := d.chip.Read8(chip.RegBoschID)
	if err != nil {
		return nil, fmt.Errorf("bme680: %w", d.chip.ExplainAbsent(err, "pin SDO", 0x76, 0x77))
	}
	if id != chip.BME680 {
		return nil, fmt.Errorf("bme680: %w", d.chip.WrongID(id, chip.BoschName(id)))
	}
	if err := d.chip.Write(regReset, cmdReset); err != nil {
		return nil, fmt.Errorf("bme680: reset: %w", err)
	}
	if err := drivers.Wait(ctx, startUp); err != nil {
		return nil, fmt.Errorf("bme680: reset: %w", err)
	}
	if err := d.calibrate(); err != nil {
		return nil, fmt.Errorf("bme680: calibration: %w", err)
	}
	return d, nil
}

func (d *Dev) calibrate() error {
	var c coefficients
	if err := d.chip.ReadConstant(0x8A, c.first[:]); err != nil {
		return err
	}
	if err := d.chip.ReadConstant(0xE1, c.second[:]); err != nil {
		return err
	}
	if err := d.chip.ReadConstant(0x00, c.third[:]); err != nil {
		return err
	}
	d.cal = c.parse()
	if d.cal.t1 == 0 || d.cal.t1 == 0xFFFF || d.cal.p1 == 0 {
		return fmt.Errorf("the chip has none (par_t1 %v, par_p1 %v): it is damaged, or the transfer was disturbed", d.cal.t1, d.cal.p1)
	}
	var variant [1]byte
	err := d.chip.ReadConstant(regVariant, variant[:])
	d.high = variant[0] == 1
	return err
}

// Read makes one measurement and returns temperature (°C), pressure (Pa), relative humidity (%RH)
// and, unless it is off, gas resistance (Ω). It takes the heater's duration and 17 ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.measure(ctx); err != nil {
		return nil, fmt.Errorf("bme680: measurement: %w", err)
	}
	b := &d.buf
	word := func(i int) float64 { return float64(uint32(b[i])<<12 | uint32(b[i+1])<<4 | uint32(b[i+2])>>4) }
	rawP, rawT, rawH := word(2), word(5), uint16(b[8])<<8|uint16(b[9])
	if rawT == notMeasured20 {
		return nil, errors.New("bme680: nothing was measured: the chip lost its power during the measurement, or is damaged")
	}
	t := d.cal.celsius(rawT)
	if t < coldest || t > hottest {
		return nil, fmt.Errorf("bme680: %.1f °C is not what the chip can measure: the transfer was disturbed, or the chip is damaged", t)
	}
	d.ambient = t
	d.values[0] = kit.Measured(d.fields[0], t+d.o.TemperatureOffset, 2)
	d.values[1] = drivers.Bad("pressure", "not measured")
	if rawP != notMeasured20 {
		d.values[1] = kit.Measured(d.fields[1], d.cal.pascal(rawP, t), 2)
	}
	d.values[2] = drivers.Bad("humidity", "not measured")
	if rawH != notMeasured16 {
		d.values[2] = kit.Measured(d.fields[2], kit.HumidityAt(d.cal.humidity(float64(rawH), t), t, t+d.o.TemperatureOffset), 2)
	}
	if !d.o.Gas {
		return d.values[:3], nil
	}
	d.values[3] = d.gas()
	return d.values[:], nil
}

// gas returns the gas resistance of the measurement in buf.
func (d *Dev) gas() drivers.Value {
	at, formula := 13, d.cal.ohm
	if d.high {
		at, formula = 15, ohmHigh
	}
	hi, lo := d.buf[at], d.buf[at+1]
	switch {
	case lo&gasValid == 0:
		return drivers.Bad("gas_resistance", "not measured")
	case lo&heaterThere == 0:
		return drivers.Bad("gas_resistance", "heater unstable")
	}
	return kit.Measured(d.fields[3], formula(float64(uint16(hi)<<2|uint16(lo)>>6), int(lo&0x0F)), 0)
}

// measure leaves status and raw values of a new measurement in buf.
func (d *Dev) measure(ctx context.Context) error {
	heater, gas := byte(heaterOff), byte(0)
	takes := d.measuringTime()
	if d.o.Gas {
		heater, gas = 0, runGas
		if d.high {
			gas = runGasHigh
		}
		takes += d.o.HeaterDuration
	}
	resistance := d.cal.setPoint(float64(d.o.HeaterTemperature), d.ambient)
	if err := d.chip.Write(regResHeat, resistance, regGasWait, gasWait(d.o.HeaterDuration), regCtrlGas0, heater, regCtrlGas1, gas); err != nil {
		return err
	}
	os := byte(bits.Len(uint(d.o.Oversampling))) // 1, 2, 4, 8, 16 are coded 1 to 5
	if err := d.chip.Write(regCtrlHum, os, regCtrlMeas, os<<5|os<<2|modeForced); err != nil {
		return err
	}
	return chip.WaitReady(ctx, takes, func() (bool, error) {
		err := d.chip.ReadReg(regField, d.buf[:])
		return d.buf[0]&newData != 0, err
	})
}

// measuringTime returns how long a measurement takes without the heater's duration, as Bosch's
// program has it.
func (d *Dev) measuringTime() time.Duration {
	us := 3*d.o.Oversampling*1963 + 477*4 + 477*5 + 1000
	return time.Duration(us) * time.Microsecond
}

// Close puts the chip to sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.chip.Write(regCtrlGas0, heaterOff, regCtrlMeas, modeSleep); err != nil {
		return fmt.Errorf("bme680: sleep: %w", err)
	}
	return nil
}
