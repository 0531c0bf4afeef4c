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

// Bounds of a FieldFilter. Windows and tables are kept in memory.
const (
	MaxAverage     = 1000
	maxMedian      = 99
	maxCalibration = 64
	maxRound       = 9
	maxUnit        = 32 // bytes of a unit's symbol
	rateMin        = time.Second
	rateMax        = 24 * time.Hour
	alarmForMax    = 7 * 24 * time.Hour
)

// A FieldFilter is what happens to one field. The zero value leaves it as it is.
type FieldFilter struct {
	Scale  *float64 `toml:"scale"`  // factor; nil is 1
	Offset *float64 `toml:"offset"` // added after scaling, in the field's unit; nil is 0
	// Calibration has pairs of what the driver returns and what that is, with rising first numbers.
	// Between two of them the result lies on a straight line, beyond the ends on that of the outer
	// two.
	Calibration [][]float64 `toml:"calibration"`
	// Unit is the unit's symbol after the filter; "" is the driver's, or none if scale, offset,
	// calibration or rate change what the number means.
	Unit string `toml:"unit"`

	Min *float64 `toml:"min"` // the smallest plausible value after scaling; nil is none
	Max *float64 `toml:"max"` // the greatest plausible value after scaling; nil is none

	// Median and Average are how many readings the moving median and mean span; 0 and 1 are off.
	// Bad values do not enter.
	Median  int `toml:"median"`
	Average int `toml:"average"`

	Delta bool          `toml:"delta"` // the difference from the last good value takes its place
	Rate  time.Duration `toml:"rate"`  // that difference in this time; 0 is off
	// Counter, one of Counters, is what a smaller value than the last one means to delta and rate;
	// "" is that the number fell.
	Counter string `toml:"counter"`

	Clamp []float64 `toml:"clamp"` // the least and the greatest result; what is beyond becomes these
	Round *int      `toml:"round"` // digits after the point; nil is all

	Rename string `toml:"rename"` // the field's name from here on; "" is the driver's
	Drop   bool   `toml:"drop"`   // the field is not sent

	// Deadband is by how much the field must differ from its last kept value to be kept again: by
	// more than that, as in OPC UA, part 8. 0 is off.
	Deadband float64 `toml:"deadband"`
	// OnChange keeps the field when it differs at all.
	OnChange bool `toml:"on_change"`
	// Heartbeat is the longest time without a kept reading, for a field with a deadband or
	// on_change; 0 is without limit.
	Heartbeat time.Duration `toml:"heartbeat"`

	// AlarmAbove and AlarmBelow are limits of the result: beyond one for AlarmFor the alarm is
	// raised, and back from it by AlarmHysteresis it is cleared. nil is none.
	AlarmAbove      *float64      `toml:"alarm_above"`
	AlarmBelow      *float64      `toml:"alarm_below"`
	AlarmFor        time.Duration `toml:"alarm_for"`
	AlarmHysteresis float64       `toml:"alarm_hysteresis"`
}

// Name returns the name of a driver's field after the filter.
func (c FieldFilter) Name(field string) string {
	if c.Rename != "" {
		return c.Rename
	}
	return field
}

// Check returns what is wrong with the filter for a field of kind k: one or several
// *drivers.OptionError, joined.
func (c FieldFilter) Check(k drivers.Kind) error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	numeric := k == drivers.KindFloat || k == drivers.KindInt
	number := func(key string, set bool, values ...float64) {
		wrong(set && !numeric, key, "the field is a %s; only numbers can have it", k)
		for _, v := range values {
			wrong(set && numeric && (math.IsNaN(v) || math.IsInf(v, 0)), key, "%v is not a finite number", v)
		}
	}
	pointer := func(key string, v *float64) {
		if v != nil {
			number(key, true, *v)
		}
	}
	pointer("scale", c.Scale)
	pointer("offset", c.Offset)
	pointer("min", c.Min)
	pointer("max", c.Max)
	pointer("alarm_above", c.AlarmAbove)
	pointer("alarm_below", c.AlarmBelow)
	number("calibration", c.Calibration != nil)
	number("median", c.Median != 0)
	number("average", c.Average != 0)
	number("delta", c.Delta)
	number("rate", c.Rate != 0)
	number("clamp", c.Clamp != nil, c.Clamp...)
	number("round", c.Round != nil)
	number("deadband", c.Deadband != 0, c.Deadband)
	wrong(c.Scale != nil && *c.Scale == 0, "scale", "0 would make every value the same")
	wrong(c.Min != nil && c.Max != nil && *c.Min > *c.Max, "min", "%v is above max, which is %v", value(c.Min), value(c.Max))
	wrong(len(c.Unit) > maxUnit || strings.ContainsFunc(c.Unit, func(r rune) bool { return !unicode.IsPrint(r) }),
		"unit", "%.40q; want a symbol such as %q, of at most %d bytes", c.Unit, "Cel", maxUnit)
	wrong(c.Calibration != nil && (c.Scale != nil || c.Offset != nil), "calibration", "it takes the place of scale and offset: remove either")
	wrong(c.Calibration != nil && !rises(c.Calibration), "calibration", "want 2 to %d pairs of what the driver returns and what that is, the first numbers rising, such as [[0, 0], [512, 21.5]]", maxCalibration)
	wrong(c.Median < 0 || c.Median > maxMedian, "median", "%d readings; want 2 to %d", c.Median, maxMedian)
	wrong(c.Average < 0 || c.Average > MaxAverage, "average", "%d readings; want 2 to %d", c.Average, MaxAverage)
	wrong(c.Delta && c.Rate != 0, "delta", "rate is a difference already: remove either")
	wrong(c.Rate != 0 && (c.Rate < rateMin || c.Rate > rateMax), "rate", "must be from %s to %s, not %s", DurationText(rateMin), DurationText(rateMax), DurationText(c.Rate))
	wrong(c.Counter != "" && !c.Delta && c.Rate == 0, "counter", "it needs delta or rate")
	wrong(c.Counter != "" && c.Calibration != nil, "counter", "it does not go with calibration: use scale")
	wrong(c.Clamp != nil && (len(c.Clamp) != 2 || c.Clamp[0] >= c.Clamp[1]), "clamp", "want the least and the greatest result, such as [0, 100]")
	wrong(c.Round != nil && (*c.Round < 0 || *c.Round > maxRound), "round", "want 0 to %d digits after the point", maxRound)
	wrong(c.Rename != "" && !drivers.IsFieldName(c.Rename), "rename", "%.70q is not a lower-case name such as %q", c.Rename, "active_power")
	wrong(c.Drop && c.Rename != "", "rename", "the field is dropped: remove either")
	wrong(c.Deadband < 0, "deadband", "%v is negative", c.Deadband)
	wrong(c.Heartbeat < 0, "heartbeat", "%v is negative", c.Heartbeat)
	wrong(c.Heartbeat > 0 && c.Deadband == 0 && !c.OnChange, "heartbeat", "it needs deadband or on_change: without one every reading is kept")
	alarm := c.AlarmAbove != nil || c.AlarmBelow != nil
	wrong(c.AlarmAbove != nil && c.AlarmBelow != nil && *c.AlarmAbove <= *c.AlarmBelow+c.AlarmHysteresis, "alarm_above",
		"%v must be above alarm_below, which is %v, by more than alarm_hysteresis, which is %v", value(c.AlarmAbove), value(c.AlarmBelow), c.AlarmHysteresis)
	wrong(alarm && c.Drop, "drop", "the field has an alarm: remove either")
	wrong(c.AlarmFor < 0 || c.AlarmFor > alarmForMax, "alarm_for", "must be from 0s to %s, not %s", DurationText(alarmForMax), DurationText(c.AlarmFor))
	wrong(c.AlarmFor != 0 && !alarm, "alarm_for", "it needs alarm_above or alarm_below")
	wrong(c.AlarmHysteresis < 0 || math.IsNaN(c.AlarmHysteresis) || math.IsInf(c.AlarmHysteresis, 0), "alarm_hysteresis", "want a number of 0 or more, not %v", c.AlarmHysteresis)
	wrong(c.AlarmHysteresis != 0 && !alarm, "alarm_hysteresis", "it needs alarm_above or alarm_below")
	return errors.Join(errs...)
}

// value returns the number that v points to, 0 if there is none.
func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// rises reports whether pairs are a calibration.
func rises(pairs [][]float64) bool {
	for i, p := range pairs {
		if len(p) != 2 || math.IsNaN(p[0]+p[1]) || math.IsInf(p[0], 0) || math.IsInf(p[1], 0) || i > 0 && p[0] <= pairs[i-1][0] {
			return false
		}
	}
	return len(pairs) >= 2 && len(pairs) <= maxCalibration
}
