package drivertest

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/drivers"
)

// plausible checks that values are those of the Spec's fields, in their order, of their kinds, and within their limits.
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
		low, high := s.limits(f)
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
		case v.Float() < low || v.Float() > high:
			wrong("%#v is not within %v and %v %s", v, low, high, f.Unit)
		}
	}
	return good
}

// rangeOfDoc is how the Doc of a field begins that has a range: "-40 to 85 °C, of the chip".
var rangeOfDoc = regexp.MustCompile(`^(-?[0-9,.]+) to (-?[0-9,.]+) `)

// limits returns the range that the field's Doc promises, and where it has none, what nature allows.
func (s Suite) limits(f drivers.Field) (low, high float64) {
	if s.AnyNumber {
		return math.Inf(-1), math.Inf(1)
	}
	if m := rangeOfDoc.FindStringSubmatch(f.Doc); m != nil {
		low, errLow := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
		high, errHigh := strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64)
		if errLow == nil && errHigh == nil {
			return low, high
		}
	}
	switch f.Unit {
	case drivers.Temperature.Unit():
		return -273.15, math.Inf(1)
	case drivers.Humidity.Unit(), drivers.Percentage.Unit():
		return 0, 100
	case drivers.Ratio.Unit():
		return 0, 1
	case drivers.PPM.Unit():
		return 0, 1e6
	case drivers.Latitude.Unit():
		return -90, 90
	case drivers.Longitude.Unit():
		return -180, 180
	case drivers.Pressure.Unit(), drivers.Resistance.Unit(), drivers.Illuminance.Unit(), drivers.Dust.Unit(), drivers.Frequency.Unit(),
		drivers.Bytes.Unit(), drivers.Count.Unit(), drivers.Duration.Unit():
		return 0, math.Inf(1)
	}
	return math.Inf(-1), math.Inf(1)
}
