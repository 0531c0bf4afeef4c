package scd4x

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
)

// Options are what the configuration may set.
type Options struct {
	Address           int     `toml:"address" doc:"0x62, the sensor's only one"`
	Altitude          int     `toml:"altitude" doc:"of the place, 0 to 3000 m above the sea: the CO₂ is corrected for the air pressure there"`
	TemperatureOffset float64 `toml:"temperature_offset" doc:"by how much the sensor warms itself, 0 to 20 °C, which it subtracts, correcting the humidity too; the maker's value is 4"`
	SelfCalibration   bool    `toml:"self_calibration" doc:"take the lowest CO₂ of a week as fresh air (400 ppm)"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(
		chip.CheckAddress(o.Address, address),
		kit.CheckRange("altitude", float64(o.Altitude), 0, 3000, "m"),
		kit.CheckRange("temperature_offset", o.TemperatureOffset, 0, 20, "°C"),
	)
}

// Spec is the driver's entry in the table.
var Spec = drivers.I2C("scd4x", "Sensirion SCD40, SCD41, SCD43: CO₂, temperature and humidity every 5 s (set every to 10s or more)",
	Options{Address: address, TemperatureOffset: 4, SelfCalibration: true}, fields, Open)

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("co2", drivers.PPM, drivers.Between(1, 40_000), "carbon dioxide; specified for 400 to 2000 (SCD40) or 5000 (SCD41, SCD43)"),
		kit.Field("temperature", drivers.Temperature, drivers.Between(-30, 60), "less temperature_offset; specified from -10 °C"),
		kit.Field("humidity", drivers.Humidity, drivers.Between(0, 100), ""),
	}
}

const (
	address = 0x62

	// Commands (3.4) that the sensor takes at any time,
	cmdRead  = 0xEC05
	cmdReady = 0xE4B8
	cmdStop  = 0x3F86
	// and those only while it is idle.
	cmdStart           = 0x21B1
	cmdSerial          = 0x3682
	cmdSetOffset       = 0x241D
	cmdSetAltitude     = 0x2427
	cmdSelfCalibration = 0x2416

	shortTime = time.Millisecond
	stopTime  = 500 * time.Millisecond
	busyTime  = time.Second // after power-up; a stop takes less
	pollTime  = 500 * time.Millisecond
	polls     = 20 // two periods of 5 s
)

// Dev is an open sensor.
type Dev struct {
	conn    sensirion.Conn
	o       Options
	started bool
	closed  bool
	words   [3]uint16
	fields  []drivers.Field
	values  [3]drivers.Value
}

// Open finds the sensor and starts it. The options must pass Check.
func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
	d := &Dev{o: o, fields: fields(&o), conn: sensirion.Conn{Conn: chip.New(bus, o.Address), Busy: busyTime}}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.start(ctx); err != nil {
		return nil, fmt.Errorf("scd4x: %w", err)
	}
	return d, nil
}

// start stops the sensor, which may be measuring since before, gives it the options and lets it
// measure.
func (d *Dev) start(ctx context.Context) error {
	// What has no right checksum here is no SCD4x, and gets no further command.
	if err := d.conn.Ask(ctx, cmdReady, shortTime, d.words[:1]); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if err := d.send(ctx, stopTime, cmdStop); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := d.conn.Ask(ctx, cmdSerial, shortTime, d.words[:]); err != nil {
		return fmt.Errorf("serial number: %w", err)
	}
	calibrate := uint16(0)
	if d.o.SelfCalibration {
		calibrate = 1
	}
	for _, option := range []struct {
		name    string
		command uint16
		word    uint16
	}{
		{"temperature_offset", cmdSetOffset, uint16(math.Round(d.o.TemperatureOffset * 65535 / 175))}, // 3.6
		{"altitude", cmdSetAltitude, uint16(d.o.Altitude)},
		{"self_calibration", cmdSelfCalibration, calibrate},
	} {
		if err := d.send(ctx, shortTime, option.command, option.word); err != nil {
			return fmt.Errorf("set %s: %w", option.name, err)
		}
	}
	if err := d.conn.Command(ctx, cmdStart); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	d.started = true
	return nil
}

// send sends a command and waits for the time that it takes.
func (d *Dev) send(ctx context.Context, takes time.Duration, command uint16, word ...uint16) error {
	if err := d.conn.Command(ctx, command, word...); err != nil {
		return err
	}
	return drivers.Wait(ctx, takes)
}

// Read waits for the next result, at most 5 s, and returns CO₂ (ppm), temperature (°C) and relative
// humidity (%RH).
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !d.started {
		if err := d.start(ctx); err != nil {
			return nil, fmt.Errorf("scd4x: %w", err)
		}
	}
	if err := d.wait(ctx); err != nil {
		return nil, fmt.Errorf("scd4x: wait for a result: %w", err)
	}
	if err := d.conn.Ask(ctx, cmdRead, shortTime, d.words[:]); err != nil {
		return nil, fmt.Errorf("scd4x: result: %w", err)
	}
	d.values[0] = drivers.Bad("co2", "not measured")
	if co2 := d.words[0]; co2 != 0 {
		d.values[0] = kit.Measured(d.fields[0], float64(co2), 0)
	}
	d.values[1] = kit.Measured(d.fields[1], -45+175*float64(d.words[1])/65535, 2) // 3.5
	d.values[2] = kit.Measured(d.fields[2], 100*float64(d.words[2])/65535, 2)
	return d.values[:], nil
}

// wait returns when the sensor has a result.
func (d *Dev) wait(ctx context.Context) error {
	for i := range polls {
		if i > 0 {
			if err := drivers.Wait(ctx, pollTime); err != nil {
				return err
			}
		}
		if err := d.conn.Ask(ctx, cmdReady, shortTime, d.words[:1]); err != nil {
			return err
		}
		if d.words[0]&0x07FF != 0 { // 3.8
			return nil
		}
	}
	d.started = false
	return errors.New("there was none for 10 s: the sensor lost its power, or another program stopped it; it will be started again")
}

// Close stops the measurements. It may take a second, if the sensor is still at something else.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if err := d.conn.Command(context.Background(), cmdStop); err != nil {
		return fmt.Errorf("scd4x: stop: %w", err)
	}
	return nil
}
