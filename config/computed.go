package config

import (
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

// bindOutput checks what a sensor sends: the names that its filters leave, the computed fields, and
// the filters of both. fields are the driver's; it returns those that are sent, under their new
// names.
func (b *binder) bindOutput(s *Sensor, fields []drivers.Field, path string) (sent []drivers.Field) {
	kinds := b.renamed(s, fields, path)
	b.checkComputed(s, kinds, path)
	sent = []drivers.Field{}
	known := map[string]drivers.Kind{} // by the names that tables of filters have
	for _, f := range fields {
		known[f.Name] = f.Kind
		if filter := s.Fields[f.Name]; !filter.Drop {
			f.Name = filter.Name(f.Name)
			sent = append(sent, f)
		}
	}
	left := len(sent)
	for _, c := range s.Computed {
		known[c.Field] = drivers.KindFloat
		if !s.Fields[c.Field].Drop {
			left++
		}
	}
	if left == 0 {
		b.report(b.at(path), "%s drops every field: nothing is left to send", path)
	}
	for _, name := range sortedMapKeys(s.Fields) {
		at := path + ".field." + name
		kind, ok := known[name]
		if !ok {
			names := sortedMapKeys(known)
			b.report(b.at(at), "%s has no field %q%s; its fields: %s", path, name, DidYouMean(name, names), strings.Join(names, ", "))
			continue
		}
		b.optionErrors(s.Fields[name].Check(kind), at)
		if s.Fields[name].Counter != "" {
			b.oneOf(at+".counter", s.Fields[name].Counter, Counters)
		}
	}
	return sent
}

// renamed returns the kinds of the driver's fields by their new names.
func (b *binder) renamed(s *Sensor, fields []drivers.Field, path string) map[string]drivers.Kind {
	kinds := map[string]drivers.Kind{}
	for _, f := range fields {
		if s.Fields[f.Name].Rename == "" {
			kinds[f.Name] = f.Kind
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
	return kinds
}

// checkComputed looks at the computed fields of a sensor. kinds are those of the fields that the
// first of them may name.
func (b *binder) checkComputed(s *Sensor, kinds map[string]drivers.Kind, path string) {
	if len(s.Computed) > maxComputed {
		b.report(b.at(path+".computed"), "%s.computed: want at most %d fields, not %d", path, maxComputed, len(s.Computed))
	}
	for i, c := range s.Computed {
		at := path + ".computed." + strconv.Itoa(i)
		if b.required(at, "field", c.Field) {
			_, twice := kinds[c.Field]
			switch {
			case !drivers.IsFieldName(c.Field):
				b.report(b.at(at+".field"), "%s.field: %.70q is not a lower-case name such as %q", at, c.Field, "active_power")
			case twice:
				b.report(b.at(at+".field"), "%s.field: there is a field %q already", at, c.Field)
			}
		}
		if b.required(at, "op", c.Op) {
			b.oneOf(at+".op", c.Op, Ops)
		}
		b.checkOf(c, kinds, at)
		b.optionErrors(FieldFilter{Unit: c.Unit}.Check(drivers.KindFloat), at)
		if s.Fields[c.Field].Rename != "" {
			b.report(b.at(path+".field."+c.Field+".rename"), "%s.field.%s.rename: write the new name into %s.field", path, c.Field, at)
		}
		kinds[c.Field] = drivers.KindFloat
	}
}

// checkOf looks at what a field is computed from.
func (b *binder) checkOf(c Computed, kinds map[string]drivers.Kind, at string) {
	switch n := len(c.Of); {
	case n < 2 || n > maxComputed:
		b.report(b.at(at+".of"), "%s.of: want 2 to %d fields, such as [\"pv1_power\", \"pv2_power\"]", at, maxComputed)
	case (c.Op == OpDifference || c.Op == OpRatio) && n != 2:
		b.report(b.at(at+".of"), "%s.of: a %s is of two fields, not %d", at, c.Op, n)
	}
	for i, name := range c.Of {
		here := b.at(at + ".of." + strconv.Itoa(i))
		switch k, known := kinds[name]; {
		case !known:
			names := sortedMapKeys(kinds)
			b.report(here, "%s.of: there is no field %q before this one%s; there are %s", at, name, DidYouMean(name, names), strings.Join(names, ", "))
		case k != drivers.KindFloat && k != drivers.KindInt:
			b.report(here, "%s.of: %s is a %s, not a number", at, name, k)
		}
	}
}
