package drivertest

import (
	"math"
	"testing"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/drivers"
)

// plausible checks that values are those of the Spec's fields, in their order, of their kinds, and
// within their limits.
func (s Suite) plausible(t *testing.T, what any, values []drivers.Value) bool {
	t.Helper()
	fields, good := s.Spec.Fields(s.prepared()), true
	wrong := func(format string, args ...any) {
		t.Helper()
		good = false
		t.Errorf("Read, %v: "+format, append([]any{what}, args...)...)
	}
	if len(values) != len(fields) {
		wrong("want the %d fields of the Spec, got %#v", len(fields), values)
		return false
	}
	for i, v := range values {
		f := fields[i]
		if v.Field != f.Name {
			wrong("field %d: want %s, got %s", i, f.Name, v.Field)
		}
		switch {
		case v.Kind() == drivers.KindBad:
			if v.Reason() == "" {
				wrong("%s is bad without a reason", v.Field)
			}
		case v.Kind() != f.Kind:
			wrong("%s: want a %s, got %#v", v.Field, f.Kind, v)
		case v.Kind() == drivers.KindString && !utf8.ValidString(v.Text()):
			wrong("%s: %q is not UTF-8", v.Field, v.Text())
		case math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0):
			wrong("%#v is not finite", v)
		case isNumber(f.Kind) && !f.Contains(v.Float()):
			wrong("%#v is not within %v and %v %s", v, f.Min, f.Max, f.Unit)
		}
	}
	return good
}
