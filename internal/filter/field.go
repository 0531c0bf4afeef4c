package filter

import (
	"fmt"
	"math"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// makesFloat reports whether the configuration makes a float out of an int.
func makesFloat(c config.FieldFilter) bool {
	return c.Scale != nil || c.Offset != nil || c.Average > 1 || c.Calibration != nil || c.Median > 1 || c.Delta || c.Rate > 0 || c.Clamp != nil
}

// Fields returns the fields that a sensor sends, and for each of the driver's fields where it is
// among them; -1: it is dropped.
func Fields(s *config.Sensor) (fields []drivers.Field, at []int) {
	for _, f := range s.Spec.Fields(s.Options) {
		c := s.Fields[f.Name]
		if c.Drop {
			at = append(at, -1)
			continue
		}
		at = append(at, len(fields))
		fields = append(fields, Field(c, f))
	}
	for i := range s.Computed {
		if c := s.Fields[s.Computed[i].Field]; !c.Drop {
			fields = append(fields, computedField(&s.Computed[i], c))
		}
	}
	return fields, at
}

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

// Field returns what a driver's field is after the filter. One that scale, offset, calibration or
// rate change has no unit but the configuration's: nobody knows what it is now. An int of which a
// step can make a fraction is a float.
func Field(c config.FieldFilter, f drivers.Field) drivers.Field {
	if changed := line(c) != drivers.NewLinear(1, 0) || c.Calibration != nil || c.Rate > 0; changed || c.Delta || c.Unit != "" {
		unit := c.Unit
		if !changed && unit == "" {
			unit = f.Unit
		}
		f.Doc, f.Range = f.Describe(), drivers.Range{} // the range is the device's, in its unit
		f.Unit = unit
	}
	f.Name = c.Name(f.Name)
	f.Kind = Kind(c, f.Kind)
	return f
}

// Kind returns the kind of a field after the filter: an int of which a step can make a fraction is
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
	if c.Calibration != nil || c.Delta || c.Rate > 0 {
		return v, fmt.Errorf("%s: a field with a calibration, delta or rate cannot be written", v.Field)
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
