package config

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

// A FieldFilter is what happens to one field. The zero value leaves it as it is.
type FieldFilter struct {
	Scale  *float64 `toml:"scale"`  // factor; nil is 1
	Offset *float64 `toml:"offset"` // added after scaling, in the field's unit; nil is 0
	// Unit is the unit's symbol after scaling; "" is the driver's, or none if scale or offset
	// change the number.
	Unit string `toml:"unit"`

	Min *float64 `toml:"min"` // the smallest plausible value after scaling; nil is none
	Max *float64 `toml:"max"` // the greatest plausible value after scaling; nil is none

	// Average is how many readings the moving mean spans, 2 to MaxAverage; 0 and 1 are off. Bad
	// values do not enter.
	Average int `toml:"average"`

	// Deadband is by how much the field must differ from its last kept value to be kept again: by
	// more than that, as in OPC UA, part 8. 0 is off.
	Deadband float64 `toml:"deadband"`
	// OnChange keeps the field when it differs at all.
	OnChange bool `toml:"on_change"`
	// Heartbeat is the longest time without a kept reading, for a field with a deadband or
	// on_change; 0 is without limit.
	Heartbeat time.Duration `toml:"heartbeat"`
}

// Check returns what is wrong with the filter for a field of kind k: one or several
// *drivers.OptionError, joined.
func (c FieldFilter) Check(k drivers.Kind) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
	}
	number := func(key string, v *float64) {
		switch {
		case v == nil:
		case k != drivers.KindFloat && k != drivers.KindInt:
			wrong(key, "the field is a %s; only numbers can have it", k)
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
