package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A word is text that may be written as a number or a bool too.
type word string

func (w *word) UnmarshalText(text []byte) error { *w = word(text); return nil }

type words struct {
	Invalid []word          `toml:"invalid"`
	Match   map[string]word `toml:"match"`
}

func TestTextOfAnyScalar(t *testing.T) {
	read := func(options string) (*words, error) {
		spec := drivers.Spec{Name: "device", Options: func() any { return new(words) }, Fields: func(any) []drivers.Field { return []drivers.Field{{Name: "t", Kind: drivers.KindFloat}} }}
		all := catalogue()
		all.Drivers = []drivers.Spec{spec}
		c, err := config.Parse([]config.Source{{Name: "f.toml", Text: minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"device\"\n[sensor.options]\n" + options}},
			all)
		if err != nil {
			return nil, err
		}
		return c.Sensors[0].Options.(*words), nil
	}
	got, err := read("invalid = [-999, \"----\", 0x8000, 1.50, true]\nmatch = { id = 1234, model = \"x\" }\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []word{"-999", "----", "32768", "1.5", "true"}; !slices.Equal(got.Invalid, want) || fmt.Sprint(got.Match) != "map[id:1234 model:x]" {
		t.Errorf("want %q, got %q and %v", want, got.Invalid, got.Match)
	}
	for options, want := range map[string]string{
		"invalid = [[1]]":        "invalid.0 must be a string, not a list",
		"invalid = -999":         "invalid must be a list, not -999",
		"match = { id = {} }":    "match.id must be a string, not a table",
		"invalid = [2026-11-28]": "invalid.0 must be a string, not a date",
	} {
		if _, err := read(options + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", options, want, err)
		}
	}
}
