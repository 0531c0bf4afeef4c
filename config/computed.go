package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// maxComputed bounds the computed fields of a sensor, and the fields that one is made of.
const maxComputed = 64

// The operations that a Computed names.
const (
	OpSum        = "sum"
	OpDifference = "difference"
	OpProduct    = "product"
	OpRatio      = "ratio"
)

// A Computed is a field that is computed from others of the same reading, [[sensor.computed]].
type Computed struct {
	Field string   `toml:"field"` // its name
	Op    string   `toml:"op"`    // of Ops
	Of    []string `toml:"of"`    // fields as their filters leave them, under their new names; also those computed before, and dropped ones
	Unit  string   `toml:"unit"`  // "" is none
}

// bindOutput checks what the sensor sends: the names after the filters, and the computed fields,
// which may have a filter too. fields are the driver's.
func (b *binder) bindOutput(s *Sensor, fields []drivers.Field, path string) {
	kinds := map[string]drivers.Kind{} // of what a computed field may name
	names := make([]string, len(fields))
	sent := 0
	for i, f := range fields {
		names[i] = f.Name
		if filter := s.Fields[f.Name]; filter.Rename == "" {
			kinds[f.Name] = f.Kind
		}
		if !s.Fields[f.Name].Drop {
			sent++
		}
	}
	for _, f := range fields {
		name := s.Fields[f.Name].Rename
		if _, twice := kinds[name]; twice {
			b.report(b.at(path+".field."+f.Name+".rename"), "%s.field.%s.rename: there is a field %q already", path, f.Name, name)
		} else if name != "" {
			kinds[name] = f.Kind
		}
	}
	for i, c := range s.Computed {
		at := path + ".computed." + strconv.Itoa(i)
		if b.required(at, "field", c.Field) {
			_, twice := kinds[c.Field]
			switch {
			case !fieldName.MatchString(c.Field):
				b.report(b.at(at+".field"), "%s.field: %.70q is not a lower-case name such as %q", at, c.Field, "active_power")
			case twice:
				b.report(b.at(at+".field"), "%s.field: there is a field %q already", at, c.Field)
			}
		}
		if b.required(at, "op", c.Op) {
			b.oneOf(at+".op", c.Op, Ops)
		}
		two := c.Op == OpDifference || c.Op == OpRatio
		switch n := len(c.Of); {
		case n < 2 || n > maxComputed:
			b.report(b.at(at+".of"), "%s.of: want 2 to %d fields, such as [\"pv1_power\", \"pv2_power\"]", at, maxComputed)
		case two && n != 2:
			b.report(b.at(at+".of"), "%s.of: a %s is of two fields, not %d", at, c.Op, n)
		}
		for j, name := range c.Of {
			k, known := kinds[name]
			known = known && name != c.Field
			switch {
			case !known:
				b.report(b.at(at+".of."+strconv.Itoa(j)), "%s.of: there is no field %q before this one%s; there are %s", at, name, didYouMean(name, sortedMapKeys(kinds)), strings.Join(sortedMapKeys(kinds), ", "))
			case k != drivers.KindFloat && k != drivers.KindInt:
				b.report(b.at(at+".of."+strconv.Itoa(j)), "%s.of: %s is a %s, not a number", at, name, k)
			}
		}
		b.optionErrors(FieldFilter{Unit: c.Unit}.Check(drivers.KindFloat), at)
		kinds[c.Field] = drivers.KindFloat
		names = append(names, c.Field)
		if filter := s.Fields[c.Field]; filter.Rename != "" {
			b.report(b.at(path+".field."+c.Field+".rename"), "%s.field.%s.rename: write the new name into %s.field", path, c.Field, at)
		} else if !filter.Drop {
			sent++
		}
	}
	if len(s.Computed) > maxComputed {
		b.report(b.at(path+".computed"), "%s.computed: want at most %d fields, not %d", path, maxComputed, len(s.Computed))
	}
	if sent == 0 {
		b.report(b.at(path), "%s drops every field: nothing is left to send", path)
	}
	for _, name := range sortedMapKeys(s.Fields) {
		at := path + ".field." + name
		i := slices.Index(names, name)
		if i < 0 {
			b.report(b.at(at), "%s has no field %q%s; its fields: %s", path, name, didYouMean(name, names), strings.Join(names, ", "))
			continue
		}
		kind := drivers.KindFloat
		if i < len(fields) {
			kind = fields[i].Kind
		}
		b.optionErrors(s.Fields[name].Check(kind), at)
		if s.Fields[name].Counter != "" {
			b.oneOf(at+".counter", s.Fields[name].Counter, Counters)
		}
	}
}
