// Package formats is the table of telemetry formats. A format is a folder beside this one and a
// line here.
package formats

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/payload/jsonflat"
)

// A Format is one form of telemetry.
type Format struct {
	config.Word
	New func() payload.Encoder
}

// Table returns all formats. The first is the default, and the form of P/last.
func Table() []Format {
	return []Format{
		{config.Word{Name: "json", Doc: "one document with the readings of a sensor as a list"}, func() payload.Encoder { return new(json.Encoder) }},
		{config.Word{Name: "json-flat", Doc: "one reading in a message, its fields beside the identity"}, func() payload.Encoder { return new(jsonflat.Encoder) }},
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

// New returns the encoder of a format; nil if there is none of that name.
func New(name string) payload.Encoder {
	for _, f := range Table() {
		if f.Name == name {
			return f.New()
		}
	}
	return nil
}
