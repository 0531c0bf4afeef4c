package drivers

import (
	"math"
	"strconv"
	"strings"
)

// A Range has the least and the greatest number that a field can have, in the field's unit.
// Between, AtLeast and AnyNumber make one; the zero value means that none was given.
type Range struct{ Min, Max float64 }

// Between returns the Range from low to high, both of which are in it.
func Between(low, high float64) Range { return Range{low, high} }

// AtLeast returns the Range from low without an upper end.
func AtLeast(low float64) Range { return Range{low, math.Inf(1)} }

// AnyNumber returns the Range without ends, for a field whose limits the driver cannot know, such
// as a register whose meaning is in the configuration.
func AnyNumber() Range { return Range{math.Inf(-1), math.Inf(1)} }

// Contains reports whether v is in the range. NaN never is.
func (r Range) Contains(v float64) bool { return v >= r.Min && v <= r.Max }

// A Field describes one field of the Values that a driver returns.
type Field struct {
	Name     string // lower-case snake case
	Unit     string // SenML's symbol, "" for none
	Kind     Kind   // of its Value when it could be measured
	Range           // of KindFloat and KindInt; other kinds have none
	Doc      string // what is measured, for the operator; may be empty if the Range says all
	Writable bool   // the driver is a Writer, and its Write takes this field
}

// Describe returns one line for the operator, the range before the Doc: "-40 to 85 °C, of the
// chip". A range without two ends is left out.
func (f Field) Describe() string {
	if math.IsInf(f.Min, 0) || math.IsInf(f.Max, 0) || f.Range == (Range{}) {
		return f.Doc
	}
	text := decimal(f.Min) + " to " + decimal(f.Max)
	if unit := readable(f.Unit); unit != "" {
		text += " " + unit
	}
	if f.Doc != "" {
		text += ", " + f.Doc
	}
	return text
}

// readable returns how people write a unit of SenML.
func readable(unit string) string {
	switch unit {
	case Temperature.Unit():
		return "°C"
	case Humidity.Unit():
		return "% relative"
	case Resistance.Unit():
		return "Ω"
	case Dust.Unit():
		return "µg/m³"
	case Angle.Unit(), Latitude.Unit(), Longitude.Unit():
		return "°"
	case Ratio.Unit(), Count.Unit():
		return ""
	}
	return unit
}

// decimal writes a number with at most four decimals, and commas between thousands: 110,000, 999.9.
func decimal(v float64) string {
	s := strconv.FormatFloat(Round(v, 4), 'f', -1, 64)
	sign, digits := "", s
	if strings.HasPrefix(s, "-") {
		sign, digits = "-", s[1:]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}
