package p1

import (
	"context"
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	Fields []string `toml:"fields" doc:"which fields, in this order; default those of every DSMR meter: energy_import_1 to power_export, and tariff"`
	Legacy bool     `toml:"legacy" doc:"DSMR 2.2 and 3, and other meters whose telegrams have no checksum; a serial port is set to 9600 7E1 then instead of 115200 8N1"`
}

// Spec is the driver's entry in the table of drivers.
var Spec = drivers.Serial("p1", "smart meter with a P1 port (DSMR, ESMR): energy, power, gas", Options{}, fields, mode, Open)

func mode(o *Options) drivers.SerialMode {
	if o.Legacy {
		return drivers.SerialMode{Baud: 9600, DataBits: 7, Parity: "even"}
	}
	return drivers.SerialMode{Baud: 115200}
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error { return choice().Check(o.Fields) }

func fields(o *Options) []drivers.Field { return choice().Describe(o.Fields) }

// Dev is a meter.
type Dev struct {
	o        Options
	measures []measure
	reader   *stream.Reader
	framer   framer
	newest   objects
	refused  error // why the last telegram was not taken
	count    int   // of those that were not taken since the last good one
	values   []drivers.Value
}

// Open reads a meter at a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Dev{o: o, measures: choice().Chosen(o.Fields), reader: stream.NewReader(port)}, nil
}

// Read returns the newest telegram that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	err := d.reader.Newest(ctx, d.take)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, d.explain(err)
	case err != nil:
		return nil, fmt.Errorf("p1: %w", err)
	}
	d.values = d.values[:0]
	for _, m := range d.measures {
		d.values = append(d.values, m.value(d.newest, m.Field))
	}
	return d.values, nil
}

// take keeps the last good telegram in what has come, and reports whether there is one.
func (d *Dev) take(p []byte) (found bool) {
	for _, c := range p {
		telegram, ok := d.framer.put(c)
		if !ok {
			continue
		}
		all, err := parse(telegram, d.o.Legacy)
		if err != nil {
			d.refused, d.count = err, d.count+1
			continue
		}
		d.newest, d.refused, d.count, found = all, nil, 0, true
	}
	return found
}

// explain says what is probably wrong when no telegram has come in time.
func (d *Dev) explain(err error) error {
	seen := &d.reader.Seen
	switch {
	case errors.Is(d.refused, errNoChecksum):
		return fmt.Errorf("p1: a telegram came, but %w: if the meter is one of DSMR 2.2 or 3, set legacy = true: %w", d.refused, err)
	case d.refused != nil:
		return fmt.Errorf("p1: %d telegrams came, but %w: is the cable too long, or the signal shared with another reader? %w", d.count, d.refused, err)
	case seen.Count == 0:
		return fmt.Errorf("p1: nothing came: does the cable give the request pin 5 V, has the grid operator opened the port, and is the sensor's timeout longer than the meter's 10 s? %w", err)
	}
	return seen.Explain("p1", "whole telegram (or the signal is inverted: use a cable for P1)", mode(&d.o), err)
}

// Close does nothing: the meter sends on, and the port belongs to its opener.
func (d *Dev) Close() error { return nil }
