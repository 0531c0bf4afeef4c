package filter

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/fieldgate/fieldgate/drivers"
)

// MaxAverage bounds the window of a moving mean, which is kept in memory.
const MaxAverage = 1000

// maxUnit bounds a unit's symbol, in bytes.
const maxUnit = 32

// A FieldConfig is what happens to one field. The zero value leaves it as it is.
type FieldConfig struct {
	Scale  *float64 `toml:"scale"`  // factor; nil is 1
	Offset *float64 `toml:"offset"` // added after scaling, in the field's unit; nil is 0
	// Unit is the unit's symbol after scaling; "" is the driver's, or none where scale or offset change the number.
	Unit string `toml:"unit"`

	Min *float64 `toml:"min"` // the smallest plausible value after scaling; nil is none
	Max *float64 `toml:"max"` // the greatest plausible value after scaling; nil is none

	// Average is how many readings the moving mean spans, 2 to MaxAverage; 0 and 1 are off. Bad values do not enter.
	Average int `toml:"average"`

	// Deadband is by how much the field must differ from its last kept value to be kept again: by more than that, as in
	// OPC UA, part 8. 0 is off.
	Deadband float64 `toml:"deadband"`
	// OnChange keeps the field when it differs at all.
	OnChange bool `toml:"on_change"`
	// Heartbeat is the longest time without a kept reading, for a field with a deadband or on_change; 0 is without limit.
	Heartbeat time.Duration `toml:"heartbeat"`
}

// makesFloat tells whether the configuration makes a float out of an int.
func (c FieldConfig) makesFloat() bool { return c.Scale != nil || c.Offset != nil || c.Average > 1 }

// line returns what scale and offset do.
func (c FieldConfig) line() drivers.Linear {
	scale, offset := 1.0, 0.0
	if c.Scale != nil {
		scale = *c.Scale
	}
	if c.Offset != nil {
		offset = *c.Offset
	}
	return drivers.NewLinear(scale, offset)
}

// Field returns what a driver's field is after the filter. One that scale or offset change has no unit but the configuration's: nobody knows what
// it is now. An int that is scaled, shifted or averaged is a float.
func (c FieldConfig) Field(f drivers.Field) drivers.Field {
	if c.Unit != "" || c.line() != drivers.NewLinear(1, 0) {
		f.Doc, f.Range = f.Describe(), drivers.Range{} // the range is the device's, in its unit
		f.Unit = c.Unit
	}
	f.Kind = c.Kind(f.Kind)
	return f
}

// Kind returns the kind of a field after the filter: an int that is scaled, shifted or averaged is a float.
func (c FieldConfig) Kind(k drivers.Kind) drivers.Kind {
	if k == drivers.KindInt && c.makesFloat() {
		return drivers.KindFloat
	}
	return k
}

// Revert turns a value that is to be written into what the driver takes, a value of kind k: before scale and offset, and rounded where the
// driver has an int. One outside min and max is an error.
func (c FieldConfig) Revert(v drivers.Value, k drivers.Kind) (drivers.Value, error) {
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return v, nil
	}
	x := v.Float()
	if c.Min != nil && x < *c.Min || c.Max != nil && x > *c.Max {
		return v, fmt.Errorf("%s: %v is outside of min and max", v.Field, v.Any())
	}
	x = c.line().Revert(x)
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

// Check returns what is wrong with the configuration for a field of kind k: one or several *drivers.OptionError, joined.
func (c FieldConfig) Check(k drivers.Kind) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
	}
	number := func(key string, v *float64) {
		switch {
		case v == nil:
		case k != drivers.KindFloat && k != drivers.KindInt:
			wrong(key, "the field is a %s; only numbers have it", k)
		case math.IsNaN(*v) || math.IsInf(*v, 0):
			wrong(key, "%v is not a finite number", *v)
		}
	}
	number("scale", c.Scale)
	number("offset", c.Offset)
	number("min", c.Min)
	number("max", c.Max)
	if c.Scale != nil && *c.Scale == 0 {
		wrong("scale", "0 would make every value the same")
	}
	if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
		wrong("min", "%v is above max, which is %v", *c.Min, *c.Max)
	}
	if len(c.Unit) > maxUnit || strings.ContainsFunc(c.Unit, func(r rune) bool { return !unicode.IsPrint(r) }) {
		wrong("unit", "%.40q; want a symbol such as %q, of at most %d bytes", c.Unit, "Cel", maxUnit)
	}
	if c.Average != 0 {
		average := float64(c.Average)
		number("average", &average)
	}
	if c.Average < 0 || c.Average > MaxAverage {
		wrong("average", "%d readings; want 2 to %d", c.Average, MaxAverage)
	}
	if c.Deadband != 0 {
		number("deadband", &c.Deadband)
	}
	if c.Deadband < 0 {
		wrong("deadband", "%v is negative", c.Deadband)
	}
	if c.Heartbeat < 0 {
		wrong("heartbeat", "%v is negative", c.Heartbeat)
	}
	if c.Heartbeat > 0 && c.Deadband == 0 && !c.OnChange {
		wrong("heartbeat", "it needs deadband or on_change: without one every reading is kept")
	}
	return errors.Join(errs...)
}
