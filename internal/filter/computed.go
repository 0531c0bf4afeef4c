package filter

import (
	"math"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// compute returns the value of a computed field from those before it in the reading. One of which a
// part is bad or missing is bad.
func compute(c *config.Computed, values []drivers.Value) drivers.Value {
	result, decimals := 0.0, 0
	for i, name := range c.Of {
		v := find(values, name)
		if v.Kind() == drivers.KindBad {
			return drivers.Bad(c.Field, v.Reason())
		}
		x := v.Float()
		digits := drivers.Decimals(x)
		switch {
		case digits < 0 || decimals < 0:
			decimals = -1
		case c.Op == config.OpProduct:
			decimals += digits
		default:
			decimals = max(decimals, digits)
		}
		switch {
		case i == 0:
			result = x
		case c.Op == config.OpSum:
			result += x
		case c.Op == config.OpDifference:
			result -= x
		case c.Op == config.OpProduct:
			result *= x
		case x == 0:
			return drivers.Bad(c.Field, "division by zero")
		default:
			return drivers.Float(c.Field, significant(result/x))
		}
	}
	return drivers.Float(c.Field, drivers.Round(result, decimals))
}

// find returns the value of a field; a bad one if the reading does not have it.
func find(values []drivers.Value, name string) drivers.Value {
	for _, v := range values {
		if v.Field == name && (v.Kind() == drivers.KindFloat || v.Kind() == drivers.KindInt || v.Kind() == drivers.KindBad) {
			return v
		}
	}
	return drivers.Bad(name, "not measured")
}

// computedField describes a computed field.
func computedField(c *config.Computed, f config.FieldFilter) drivers.Field {
	d := drivers.Field{Name: c.Field, Unit: c.Unit, Kind: drivers.KindFloat, Range: drivers.Range{Min: math.Inf(-1), Max: math.Inf(1)}, Doc: c.Op + " of " + list(c.Of)}
	return Field(f, d)
}

func list(names []string) string {
	text := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}
