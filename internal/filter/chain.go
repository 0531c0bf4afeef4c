package filter

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A Chain filters the readings of one sensor. It is not safe for concurrent use.
type Chain struct {
	fields   []*field // in the order of the last reading, then those it did not have
	computed []config.Computed
	room     []drivers.Value // of a reading with computed fields
	drops    bool            // some field is not sent

	forced bool          // keep the next reading
	last   time.Duration // when Apply was last called
	kept   time.Duration // when a reading was last kept
}

// A field is one field's configuration and what it remembers of the readings before.
type field struct {
	from     string // its name in the driver
	name     string // and after that
	config   config.FieldFilter
	line     drivers.Linear // config.Scale and config.Offset
	deadband float64        // config.Deadband or what SetDeadbands put in its place
	window   mean
	steps    *steps
	kept     drivers.Value // as last kept
	outside  bool          // the last value was outside of min and max
	came     float64       // what it was then, scaled
}

// New returns the filter for a sensor. fields has the fields that are to be treated, as checked by
// config.FieldFilter.Check; others pass. The first reading is always kept.
func New(fields map[string]config.FieldFilter, computed []config.Computed) *Chain {
	c := &Chain{forced: true, computed: computed}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		c.add(name, fields[name])
	}
	return c
}

func (c *Chain) add(name string, config config.FieldFilter) *field {
	f := &field{from: name, name: config.Name(name), config: config, line: line(config), deadband: config.Deadband, steps: newSteps(config)}
	if config.Average > 1 {
		f.window.values = make([]float64, config.Average)
	}
	c.fields = append(c.fields, f)
	c.drops = c.drops || config.Drop
	return f
}

// SetDeadbands puts other deadbands in the place of the configured ones, 0 turning one off. A field
// that deadbands does not name has its configured deadband again.
func (c *Chain) SetDeadbands(deadbands map[string]float64) {
	for _, f := range c.fields {
		f.deadband = f.config.Deadband
	}
	for name, deadband := range deadbands {
		if f := c.named(name); f != nil {
			f.deadband = deadband
		} else {
			c.add(name, config.FieldFilter{}).deadband = deadband
		}
	}
}

// Force keeps the next reading whatever the deadbands say: because the last one was lost after
// Apply, or because the receiver should see the sensor come back.
func (c *Chain) Force() { c.forced = true }

// Convert does to a reading what needs no memory, in place, and returns what is left of it, valid
// until the next call: calibration, bounds, clamp, round, computed fields, new names. Fields with
// delta or rate have no value.
func (c *Chain) Convert(values []drivers.Value) []drivers.Value {
	values = c.extend(values)
	for i := range values {
		f := c.at(i, values[i].Field)
		v := c.value(f, i, values)
		f.convert(v)
		if f.steps != nil && number(v) {
			if f.steps.delta {
				*v = drivers.Bad(v.Field, "needs two readings")
			} else {
				*v = f.steps.limit(*v)
			}
		}
	}
	return c.sent(values)
}

// Apply filters the reading measured at up, in place. It returns what is left of it, valid until
// the next call, and whether to keep it.
func (c *Chain) Apply(up time.Duration, values []drivers.Value) (left []drivers.Value, keep bool) {
	votes, moved := false, c.forced
	heartbeat := time.Duration(math.MaxInt64)
	values = c.extend(values)
	for i := range values {
		f := c.at(i, values[i].Field)
		v := c.value(f, i, values)
		f.convert(v)
		if f.steps == nil {
			f.average(v)
		} else {
			f.step(v, up)
		}
		if f.config.Drop {
			continue
		}
		if (v.Kind() == drivers.KindBad) != (f.kept.Kind() == drivers.KindBad) {
			moved = true
		}
		if f.deadband <= 0 && !f.config.OnChange {
			continue
		}
		votes = true
		moved = moved || f.moved(*v)
		if f.config.Heartbeat > 0 {
			heartbeat = min(heartbeat, f.config.Heartbeat)
		}
	}
	// Half an interval ahead, so that a heartbeat of six intervals is the sixth reading although
	// that came a little early.
	due := up+(up-c.last)/2-c.kept >= heartbeat
	c.last = up
	keep = !votes || moved || due
	if keep {
		c.forced, c.kept = false, up
		for i := range values {
			c.fields[i].kept = values[i]
		}
	}
	return c.sent(values), keep
}

// extend makes room for the computed fields of a reading.
func (c *Chain) extend(values []drivers.Value) []drivers.Value {
	if len(c.computed) == 0 {
		return values
	}
	c.room = append(c.room[:0], values...)
	for i := range c.computed {
		c.room = append(c.room, drivers.Value{Field: c.computed[i].Field})
	}
	return c.room
}

// value returns value i of a reading, under the name that its field has from here on. A computed
// one is computed from those before it.
func (c *Chain) value(f *field, i int, values []drivers.Value) *drivers.Value {
	v := &values[i]
	if n := i - (len(values) - len(c.computed)); n >= 0 {
		*v = compute(&c.computed[n], values[:i])
	}
	if f.config.Rename != "" {
		v.Field = f.name
	}
	return v
}

// sent takes out the fields that are dropped.
func (c *Chain) sent(values []drivers.Value) []drivers.Value {
	if !c.drops {
		return values
	}
	left := values[:0]
	for i := range values {
		if !c.fields[i].config.Drop {
			left = append(left, values[i])
		}
	}
	return left
}

// at returns the field with this name and moves it to place i, where the next reading will have it.
func (c *Chain) at(i int, name string) *field {
	if i < len(c.fields) && c.fields[i].from == name {
		return c.fields[i]
	}
	j := slices.IndexFunc(c.fields, func(f *field) bool { return f.from == name })
	if j < 0 {
		c.add(name, config.FieldFilter{})
		j = len(c.fields) - 1
	}
	c.fields[i], c.fields[j] = c.fields[j], c.fields[i]
	return c.fields[i]
}

// named returns the field with this name after the filter; nil if there is none.
func (c *Chain) named(name string) *field {
	if i := slices.IndexFunc(c.fields, func(f *field) bool { return f.name == name }); i >= 0 {
		return c.fields[i]
	}
	return nil
}

func number(v *drivers.Value) bool {
	return v.Kind() == drivers.KindFloat || v.Kind() == drivers.KindInt
}

func (f *field) convert(v *drivers.Value) {
	f.outside = false
	if !number(v) {
		return
	}
	if f.config.Calibration != nil {
		*v = drivers.Float(v.Field, f.steps.calibrate(v.Float()))
	}
	if f.config.Scale != nil || f.config.Offset != nil {
		*v = drivers.Float(v.Field, f.line.Apply(v.Float()))
	}
	if f.config.Min != nil && v.Float() < *f.config.Min || f.config.Max != nil && v.Float() > *f.config.Max {
		f.outside, f.came = true, v.Float()
		*v = drivers.Bad(v.Field, "range")
	}
}

func (f *field) average(v *drivers.Value) {
	if f.config.Average > 1 && number(v) {
		*v = drivers.Float(v.Field, f.window.add(v.Float()))
	}
}

// step does what comes between the bounds and the vote.
func (f *field) step(v *drivers.Value, up time.Duration) {
	if f.steps.median != nil && number(v) {
		*v = drivers.Float(v.Field, f.steps.median.add(v.Float()))
	}
	f.average(v)
	if f.steps.delta && number(v) {
		*v = f.steps.change(*v, up)
	}
	if number(v) {
		*v = f.steps.limit(*v)
	}
}

// moved reports whether v is news by the field's deadband or on_change.
func (f *field) moved(v drivers.Value) bool {
	if f.config.OnChange && v != f.kept {
		return true
	}
	return f.deadband > 0 && math.Abs(v.Float()-f.kept.Float()) > f.deadband
}
