package filter

import (
	"fmt"
	"math"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// makesFloat reports whether the configuration makes a float out of an int.
func makesFloat(c config.FieldFilter) bool { return c.Scale != nil || c.Offset != nil || c.Average > 1 }

// line returns what scale and offset do.
func line(c config.FieldFilter) drivers.Linear {
	scale, offset := 1.0, 0.0
	if c.Scale != nil {
		scale = *c.Scale
	}
	if c.Offset != nil {
		offset = *c.Offset
	}
	return drivers.NewLinear(scale, offset)
}

// Field returns what a driver's field is after the filter. One that scale or offset change has no
// unit but the configuration's: nobody knows what it is now. An int that is scaled, shifted or
// averaged is a float.
func Field(c config.FieldFilter, f drivers.Field) drivers.Field {
	if c.Unit != "" || line(c) != drivers.NewLinear(1, 0) {
		f.Doc, f.Range = f.Describe(), drivers.Range{} // the range is the device's, in its unit
		f.Unit = c.Unit
	}
	f.Kind = Kind(c, f.Kind)
	return f
}

// Kind returns the kind of a field after the filter: an int that is scaled, shifted or averaged is
// a float.
func Kind(c config.FieldFilter, k drivers.Kind) drivers.Kind {
	if k == drivers.KindInt && makesFloat(c) {
		return drivers.KindFloat
	}
	return k
}

// Revert turns a value that is to be written into what the driver takes, a value of kind k: before
// scale and offset, and rounded if the driver has an int. One outside min and max is an error.
func Revert(c config.FieldFilter, v drivers.Value, k drivers.Kind) (drivers.Value, error) {
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return v, nil
	}
	x := v.Float()
	if c.Min != nil && x < *c.Min || c.Max != nil && x > *c.Max {
		return v, fmt.Errorf("%s: %v is outside of min and max", v.Field, v.Any())
	}
	x = line(c).Revert(x)
	switch {
	case c.Offset == nil && c.Scale == nil && v.Kind() == k:
		return v, nil
	case k == drivers.KindInt:
		if math.Abs(x) > 1<<53 {
			return v, fmt.Errorf("%s: %v is beyond what the device can be set to", v.Field, v.Any())
		}
		return drivers.Int(v.Field, int64(math.Round(x))), nil
	}
	return drivers.Float(v.Field, x), nil
}
