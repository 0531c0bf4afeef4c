package kit

import (
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// Field describes a field of kind float.
func Field(name string, q drivers.Quantity, doc string) drivers.Field {
	return drivers.Field{Name: name, Unit: q.Unit(), Kind: drivers.KindFloat, Doc: doc}
}

// Measured returns v rounded to 1/perUnit, which takes away the digits that mean nothing. If it is
// not within low and high, the limits of what the device can measure, it is Bad.
func Measured(field string, v, low, high, perUnit float64) drivers.Value {
	if !(v >= low && v <= high) {
		return drivers.Bad(field, "range")
	}
	return drivers.Float(field, math.Round(v*perUnit)/perUnit)
}
