package nmea

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	Baud   int      `toml:"baud" doc:"bits per second, 50 to 4000000; receivers come with 4800, 9600, 38400 or 115200"`
	Fields []string `toml:"fields" doc:"which fields, in this order; default all but time"`

	since time.Time // the earliest time that is believed, for tests; the zero value is earliest
}

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("nmea", "any GNSS receiver (GPS and others) that speaks NMEA 0183", Options{Baud: 9600}, fields, mode, Open)

func mode(o *Options) drivers.SerialMode { return drivers.SerialMode{Baud: o.Baud} }

// A measure makes one field of an epoch.
type measure struct {
	drivers.Field
	value func(e *epoch, field string) drivers.Value
}

// The limits of an angle, degrees.
const latitudes, longitudes = 90, 180

// measures returns all fields that there are, the optional one last.
func (o *Options) measures() []measure {
	since := o.since
	if since.IsZero() {
		since = earliest
	}
	position := func(of func(*epoch) optional) func(*epoch, string) drivers.Value {
		return func(e *epoch, field string) drivers.Value {
			if !e.fixed() {
				return drivers.Bad(field, "no fix")
			}
			return of(e).value(field)
		}
	}
	float := func(name string, q drivers.Quantity, r drivers.Range, doc string, of func(*epoch) optional) measure {
		return measure{kit.Field(name, q, r, doc), position(of)}
	}
	return []measure{
		float("latitude", drivers.Latitude, drivers.Between(-latitudes, latitudes), "WGS 84, north is positive", func(e *epoch) optional { return e.latitude }),
		float("longitude", drivers.Longitude, drivers.Between(-longitudes, longitudes), "WGS 84, east is positive", func(e *epoch) optional { return e.longitude }),
		{kit.Field("altitude", drivers.Distance, drivers.AnyNumber(), "above mean sea level"), (*epoch).altitudeValue},
		float("speed", drivers.Speed, drivers.AnyNumber(), "over ground", func(e *epoch) optional { return e.speed }),
		float("course", drivers.Angle, drivers.AnyNumber(), "over ground, from true north; many receivers report none at rest", func(e *epoch) optional { return e.course }),
		{drivers.Field{Name: "satellites", Unit: drivers.Count.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "used for the fix"}, (*epoch).satellitesValue},
		{drivers.Field{Name: "hdop", Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: "horizontal dilution of precision: 1 is good, more than 5 bad"},
			func(e *epoch, field string) drivers.Value { return e.hdop.value(field) }},
		{drivers.Field{Name: "fix", Kind: drivers.KindString, Doc: "none, gnss, dgnss, pps, rtk, rtk-float, estimated, manual or simulated"},
			func(e *epoch, field string) drivers.Value { return drivers.String(field, e.fix()) }},
		{drivers.Field{Name: "time", Kind: drivers.KindString, Doc: "UTC of the fix, as 2026-11-20T15:04:05.000Z"},
			func(e *epoch, field string) drivers.Value { return e.timeValue(field, since) }},
	}
}

// choice is what the option fields chooses from.
func (o *Options) choice() kit.Fields[measure] {
	f := kit.Fields[measure]{All: o.measures(), Of: func(m measure) drivers.Field { return m.Field }}
	f.Usual = f.Names()[:len(f.All)-1]
	return f
}

func fields(o *Options) []drivers.Field { return o.choice().Describe(o.Fields) }

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return errors.Join(kit.CheckRange("baud", float64(o.Baud), 50, 4_000_000, "bits per second"), o.choice().Check(o.Fields))
}

// Dev is a receiver.
type Dev struct {
	o        Options
	measures []measure
	reader   *stream.Reader
	framer   framer
	current  epoch // is arriving
	complete epoch
	usual    sentences // what an epoch of this receiver has
	finished bool      // current has become complete already
	values   []drivers.Value
	strange  string // a sentence that was none of those that are read
}

// Open reads a receiver on a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Dev{o: o, measures: o.choice().Chosen(o.Fields), reader: stream.NewReader(port)}, nil
}

// Read returns the newest epoch that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	err := d.reader.Newest(ctx, d.take)
	switch {
	case err == nil:
	case ctx.Err() == nil:
		return nil, fmt.Errorf("nmea: %w", err)
	case d.strange != "" && d.reader.Seen.Count > 0:
		return nil, fmt.Errorf("nmea: no RMC, GGA, GNS or GLL came, but %q: have the receiver send one of these: %w", d.strange, err)
	default:
		return nil, d.reader.Seen.Explain("nmea", "valid sentence (or the receiver is in its binary mode)", mode(&d.o), err)
	}
	d.values = d.values[:0]
	for _, m := range d.measures {
		d.values = append(d.values, m.value(&d.complete, m.Name))
	}
	return d.values, nil
}

// take reads the sentences in what has come, or the pause if nothing has, and reports whether an
// epoch has become complete.
func (d *Dev) take(p []byte) (found bool) {
	if len(p) == 0 {
		return d.pause()
	}
	for _, c := range p {
		if text, ok := d.framer.put(c); ok {
			found = d.sentence(text) || found
		}
	}
	return found
}

// sentence adds a sentence to the epoch, and reports whether it was the first of a new one, which
// completes that before.
func (d *Dev) sentence(text string) (found bool) {
	var next epoch
	if !next.read(text) {
		if next.has == 0 && d.strange == "" {
			d.strange = text
		}
		return false
	}
	if d.current.endsBefore(&next) {
		found = d.finish()
		d.usual, d.current, d.finished = d.current.has, epoch{}, false
	}
	d.current.merge(&next)
	if d.usual != 0 && d.current.has&d.usual == d.usual {
		found = d.finish() || found
	}
	return found
}

// pause completes the first epoch, of which it is not known yet what belongs to it.
func (d *Dev) pause() bool { return d.usual == 0 && d.finish() }

// finish makes the current epoch the complete one, once, if it says where or that nothing is known.
func (d *Dev) finish() bool {
	if d.finished || d.current.has&positions == 0 {
		return false
	}
	d.complete, d.finished, d.strange = d.current, true, ""
	return true
}

// Close does nothing: the receiver speaks on, and the port belongs to its opener.
func (d *Dev) Close() error { return nil }
