package kit

import (
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// Field describes a field of kind float.
func Field(name string, q drivers.Quantity, r drivers.Range, doc string) drivers.Field {
	return drivers.Field{Name: name, Unit: q.Unit(), Kind: drivers.KindFloat, Range: r, Doc: doc}
}

// Measured returns v as the value of a field, rounded to so many digits after the point: those
// beyond mean nothing. If v is not in the field's range, it is Bad.
func Measured(f drivers.Field, v float64, decimals int) drivers.Value {
	if !f.Contains(v) {
		return drivers.Bad(f.Name, "range")
	}
	perUnit := math.Pow10(decimals)
	return drivers.Float(f.Name, math.Round(v*perUnit)/perUnit)
}
