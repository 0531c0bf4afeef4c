package sds011

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	Period int           `toml:"period" doc:"minutes between measurements, 1 to 30; 0 measures continuously, each second"`
	WarmUp time.Duration `toml:"warm_up" doc:"how long its numbers are not trusted after it was switched on, 0s to 5m; of no account with a period"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	var errs []error
	if o.Period < 0 || o.Period > 30 {
		errs = append(errs, &drivers.OptionError{Key: "period", Err: fmt.Errorf("%d minutes; want 0 to 30", o.Period)})
	}
	if o.WarmUp < 0 || o.WarmUp > 5*time.Minute {
		errs = append(errs, &drivers.OptionError{Key: "warm_up", Err: fmt.Errorf("%v; want 0s to 5m", o.WarmUp)})
	}
	return errors.Join(errs...)
}

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("sds011", "Nova SDS011: fine dust", Options{WarmUp: 30 * time.Second}, fields, mode, Open)

func mode(*Options) drivers.SerialMode { return drivers.SerialMode{Baud: 9600} }

func fields(*Options) []drivers.Field {
	return []drivers.Field{
		kit.Field("pm2_5", drivers.Dust, drivers.Between(0, 999.9), "mass of particles up to 2.5 µm"),
		kit.Field("pm10", drivers.Dust, drivers.Between(0, 999.9), "mass of particles up to 10 µm"),
	}
}

// Frames of the control protocol.
const (
	reportSize  = 10
	commandSize = 19
	reporting   = 2 // 0 active, 1 when asked
	working     = 6 // 0 sleep, 1 work
	period      = 8 // minutes
)

// Dev is a sensor.
type Dev struct {
	port   drivers.Port
	reader *stream.Reader
	frames stream.Frames
	warm   stream.WarmUp
	frame  []byte
	fields []drivers.Field
	values [2]drivers.Value
	closed bool
}

// Open sets up the sensor on a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{port: port, reader: stream.NewReader(port), fields: fields(&o)}
	d.frames = stream.Frames{Header: []byte{0xaa, 0xc0}, Size: reportSize, Valid: valid}
	for _, c := range [][2]byte{{working, 1}, {reporting, 0}, {period, byte(o.Period)}} {
		if err := d.command(c[0], c[1]); err != nil {
			return nil, err
		}
	}
	if o.Period == 0 { // otherwise it warms up before it reports
		d.warm = stream.StartWarmUp(o.WarmUp)
	}
	return d, nil
}

// valid checks sum and tail of a report.
func valid(frame []byte) bool { return sum(frame[2:8]) == frame[8] && frame[9] == 0xab }

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// command sets something in whatever sensor is on the line.
func (d *Dev) command(what, value byte) error {
	c := [commandSize]byte{0: 0xaa, 1: 0xb4, 2: what, 3: 1, 4: value, 15: 0xff, 16: 0xff, 18: 0xab}
	c[17] = sum(c[2:17])
	if _, err := d.port.Write(c[:]); err != nil {
		return fmt.Errorf("sds011: %w", err)
	}
	return nil
}

// Read returns the newest report.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	err := d.reader.Newest(ctx, func(p []byte) bool {
		frame := d.frames.Newest(p)
		if frame != nil {
			d.frame = frame
		}
		return frame != nil
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, d.frames.Explain("sds011", &d.reader.Seen, mode(nil), err)
	case err != nil:
		return nil, fmt.Errorf("sds011: %w", err)
	}
	warm := d.warm.Over()
	for i, f := range d.fields {
		v := float64(binary.LittleEndian.Uint16(d.frame[2+2*i:])) / 10
		switch {
		case !warm:
			d.values[i] = drivers.Bad(f.Name, "warming up")
		case !f.Contains(v):
			d.values[i] = drivers.Bad(f.Name, "range")
		default:
			d.values[i] = drivers.Float(f.Name, v)
		}
	}
	return d.values[:], nil
}

// Close lets the sensor sleep.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.warm.Stop()
	return d.command(working, 0)
}
