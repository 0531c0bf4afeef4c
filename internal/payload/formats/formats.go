// Package formats is the table of telemetry formats. A format is a folder beside this one and a
// line here.
package formats

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/influx"
	"github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/payload/jsonflat"
)

// A Format is one form of telemetry.
type Format struct {
	config.Word
	New   func() payload.Encoder
	Names *config.Names // what fields and labels cannot be called; nil: anything goes
}

// Table returns all formats. The first is the default, and the form of P/last.
func Table() []Format {
	return []Format{
		{Word: config.Word{Name: "json", Doc: "one document with the readings of a sensor as a list"}, New: func() payload.Encoder { return new(json.Encoder) }},
		{Word: config.Word{Name: "json-flat", Doc: "one reading in a message, its fields beside the identity"}, New: func() payload.Encoder { return new(jsonflat.Encoder) }},
		{Word: config.Word{Name: "influx", Doc: "lines of InfluxDB line protocol, one for each reading; readings wait until the time is known"}, New: func() payload.Encoder { return new(influx.Encoder) }, Names: influx.Names()},
	}
}

// Words returns the names of all formats for the configuration.
func Words() config.Words {
	var words config.Words
	for _, f := range Table() {
		words = append(words, f.Word)
	}
	return words
}

// Names returns what fields and labels cannot be called, by format, for the configuration.
func Names() map[string]*config.Names {
	names := map[string]*config.Names{}
	for _, f := range Table() {
		names[f.Name] = f.Names
	}
	return names
}

// NeedsTime returns the name of a format if it cannot carry readings without a time, else "".
func NeedsTime(name string) string {
	if e := New(name); e != nil && e.NeedsTime() {
		return name
	}
	return ""
}

// New returns the encoder of a format; nil if there is none of that name.
func New(name string) payload.Encoder {
	for _, f := range Table() {
		if f.Name == name {
			return f.New()
		}
	}
	return nil
}
