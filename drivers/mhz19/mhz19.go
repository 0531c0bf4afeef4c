package mhz19

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	SelfCalibration bool          `toml:"self_calibration" doc:"let the sensor take each day's lowest value for 400 ppm; false if there is never fresh air"`
	WarmUp          time.Duration `toml:"warm_up" doc:"how long its numbers are not trusted after the sensor is opened, 0s to 10m; 0s if it always has power"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	if o.WarmUp < 0 || o.WarmUp > 10*time.Minute {
		return &drivers.OptionError{Key: "warm_up", Err: fmt.Errorf("%v; want 0s to 10m", o.WarmUp)}
	}
	return nil
}

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("mhz19", "Winsen MH-Z19B and MH-Z19C: carbon dioxide", Options{SelfCalibration: true, WarmUp: 3 * time.Minute}, fields, mode, Open)

func mode(*Options) drivers.SerialMode { return drivers.SerialMode{Baud: 9600} }

// The widest range that the sensors are made with is to 10,000 ppm.
func fields(*Options) []drivers.Field {
	return []drivers.Field{{Name: "co2", Unit: drivers.PPM.Unit(), Kind: drivers.KindInt, Range: drivers.Between(1, 10_000), Doc: "carbon dioxide in the air"}}
}

const (
	frameSize = 9
	readCO2   = 0x86
	selfCal   = 0x79 // 0xa0 on, 0 off
	timeout   = 500 * time.Millisecond
)

// Dev is a sensor.
type Dev struct {
	reader *stream.Reader
	frames stream.Frames
	warm   stream.WarmUp
	field  drivers.Field
	values [1]drivers.Value
}

// Open sets up the sensor on a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{reader: stream.NewReader(port), field: fields(&o)[0]}
	d.frames = stream.Frames{Header: []byte{0xff, readCO2}, Size: frameSize, Valid: valid}
	how := byte(0)
	if o.SelfCalibration {
		how = 0xa0
	}
	if _, err := port.Write(command(selfCal, how)); err != nil {
		return nil, fmt.Errorf("mhz19: %w", err)
	}
	d.warm = stream.StartWarmUp(o.WarmUp)
	return d, nil
}

// valid checks the sum of a frame.
func valid(frame []byte) bool { return checksum(frame) == frame[frameSize-1] }

// checksum is that of all bytes but the first and the last.
func checksum(frame []byte) (s byte) {
	for _, c := range frame[1 : frameSize-1] {
		s += c
	}
	return -s
}

func command(code, argument byte) []byte {
	c := []byte{0xff, 1, code, argument, 0, 0, 0, 0, 0}
	c[frameSize-1] = checksum(c)
	return c
}

// Read asks for the concentration.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var co2 int64
	d.frames.Reset()
	err := d.reader.Ask(ctx, command(readCO2, 0), timeout, func(p []byte) bool {
		frame := d.frames.Newest(p)
		if frame != nil {
			co2 = int64(binary.BigEndian.Uint16(frame[2:]))
		}
		return frame != nil
	})
	switch {
	case err != nil && (errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil):
		return nil, d.frames.Explain("mhz19", &d.reader.Seen, mode(nil), err)
	case err != nil:
		return nil, fmt.Errorf("mhz19: %w", err)
	case !d.warm.Over():
		d.values[0] = drivers.Bad(d.field.Name, "warming up")
	case !d.field.Contains(float64(co2)):
		d.values[0] = drivers.Bad(d.field.Name, "range")
	default:
		d.values[0] = drivers.Int(d.field.Name, co2)
	}
	return d.values[:], nil
}

// Close leaves the sensor as it is: it has no state of low power, and starting again would take
// minutes.
func (d *Dev) Close() error {
	d.warm.Stop()
	return nil
}
