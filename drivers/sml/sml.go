package sml

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	Baud   int      `toml:"baud" doc:"bits per second, 300 to 921600; nearly all meters have 9600"`
	Fields []string `toml:"fields" doc:"which fields, in this order; default energy_import, energy_export and power"`
}

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("sml", "electricity meter that sends SML, by an infrared head: energy, power", Options{Baud: 9600}, fields, mode, Open)

func mode(o *Options) drivers.SerialMode { return drivers.SerialMode{Baud: o.Baud} }

// A measure is a field, and where it is.
type measure struct {
	drivers.Field
	codes []string // of OBIS, the first that there is
	unit  int64    // a code of DLMS
}

// Units of DLMS.
const (
	watt     = 27
	wattHour = 30
	ampere   = 33
	volt     = 35
	hertz    = 44
)

func measures() []measure {
	number := func(name, symbol string, unit int64, doc string, codes ...string) measure {
		return measure{drivers.Field{Name: name, Unit: symbol, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: doc + ", " + strings.Join(codes, " or ")}, codes, unit}
	}
	energy := func(name, doc, code string) measure { return number(name, "kWh", wattHour, doc, code) }
	all := []measure{
		energy("energy_import", "taken from the grid", "1-0:1.8.0"),
		energy("energy_export", "given to the grid", "1-0:2.8.0"),
		number("power", drivers.Power.Unit(), watt, "being taken; negative: being given", "1-0:16.7.0", "1-0:15.7.0", "1-0:1.7.0"),
		energy("energy_import_1", "taken in tariff 1", "1-0:1.8.1"),
		energy("energy_import_2", "taken in tariff 2", "1-0:1.8.2"),
		energy("energy_export_1", "given in tariff 1", "1-0:2.8.1"),
		energy("energy_export_2", "given in tariff 2", "1-0:2.8.2"),
		number("frequency", drivers.Frequency.Unit(), hertz, "of the grid", "1-0:14.7.0"),
	}
	for i, phase := range []string{"l1", "l2", "l3"} {
		code := func(first int) string { return fmt.Sprintf("1-0:%d.7.0", first+20*i) }
		all = append(all,
			number("power_"+phase, drivers.Power.Unit(), watt, "of the phase", code(36), code(21)),
			number("voltage_"+phase, drivers.Voltage.Unit(), volt, "of the phase", code(32)),
			number("current_"+phase, drivers.Current.Unit(), ampere, "of the phase", code(31)),
		)
	}
	return all
}

// choice is what the option fields chooses from.
func choice() kit.Fields[measure] {
	f := kit.Fields[measure]{All: measures(), Of: func(m measure) drivers.Field { return m.Field }}
	f.Usual = f.Names()[:3]
	return f
}

// AllFields returns the names of all fields that there are.
func AllFields() []string { return choice().Names() }

func fields(o *Options) []drivers.Field { return choice().Describe(o.Fields) }

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(kit.CheckRange("baud", float64(o.Baud), 300, 921_600, "bits per second"), choice().Check(o.Fields))
}

// Dev is a meter.
type Dev struct {
	o        Options
	measures []measure
	reader   *stream.Reader
	framer   framer
	newest   map[string]quantity
	strange  error // why a frame with a right checksum was not taken
	values   []drivers.Value
}

// Open reads a meter on a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Dev{o: o, measures: choice().Chosen(o.Fields), reader: stream.NewReader(port)}, nil
}

// Read returns the newest frame that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	err := d.reader.Newest(ctx, d.take)
	switch {
	case err == nil:
	case ctx.Err() == nil:
		return nil, fmt.Errorf("sml: %w", err)
	case d.strange != nil:
		return nil, fmt.Errorf("sml: a frame came without values: %w: %w", d.strange, err)
	case d.framer.damaged > 0:
		return nil, fmt.Errorf("sml: what came begins as frames do, but %d times the checksum was wrong: does the head sit straight, and does light fall in? %w", d.framer.damaged, err)
	case d.reader.Seen.Count == 0:
		return nil, fmt.Errorf("sml: nothing came: is the head on the meter's upper infrared window, with its cable downwards, and its TX wired to our RX? %w", err)
	default:
		return nil, d.reader.Seen.Explain("sml", "whole frame", mode(&d.o), err)
	}
	d.values = d.values[:0]
	for _, m := range d.measures {
		d.values = append(d.values, m.value(d.newest))
	}
	return d.values, nil
}

// take keeps the last good frame in what has come, and reports whether there is one.
func (d *Dev) take(p []byte) (found bool) {
	for _, c := range p {
		body, ok := d.framer.put(c)
		if !ok {
			continue
		}
		all, err := parse(body)
		if err == nil && len(all) == 0 {
			err = errors.New("it is no answer with a list of values")
		}
		if err != nil {
			d.strange = err
			continue
		}
		d.newest, d.strange, d.framer.damaged, found = all, nil, 0, true
	}
	return found
}

// value returns the field's quantity in its unit.
func (m measure) value(all map[string]quantity) drivers.Value {
	for _, code := range m.codes {
		q, ok := all[code]
		switch {
		case !ok:
			continue
		case q.unit != m.unit:
			return drivers.Bad(m.Name, "unit")
		case m.unit == wattHour:
			q.scaler -= 3
		}
		v := q.number
		if q.scaler < 0 {
			v /= math.Pow10(-q.scaler)
		} else {
			v *= math.Pow10(q.scaler)
		}
		return drivers.Float(m.Name, v)
	}
	return drivers.Bad(m.Name, "not present")
}

// Close does nothing: the meter sends on, and the port belongs to its opener.
func (d *Dev) Close() error { return nil }
