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
	fields []*field // in the order of the last reading, then those it did not have

	forced bool          // keep the next reading
	last   time.Duration // when Apply was last called
	kept   time.Duration // when a reading was last kept
}

// A field is one field's configuration and what it remembers of the readings before.
type field struct {
	name     string
	config   config.FieldFilter
	line     drivers.Linear // config.Scale and config.Offset
	deadband float64        // config.Deadband or what SetDeadbands put in its place
	window   mean
	kept     drivers.Value // as last kept
	outside  bool          // the last value was outside of min and max
	came     float64       // what it was then, scaled
}

// New returns the filter for a sensor. fields has the fields that are to be treated, as checked by
// config.FieldFilter.Check; others pass. The first reading is always kept.
func New(fields map[string]config.FieldFilter) *Chain {
	c := &Chain{forced: true}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		c.add(name, fields[name])
	}
	return c
}

func (c *Chain) add(name string, config config.FieldFilter) *field {
	f := &field{name: name, config: config, line: line(config), deadband: config.Deadband}
	if config.Average > 1 {
		f.window.values = make([]float64, config.Average)
	}
	c.fields = append(c.fields, f)
	return f
}

// SetDeadbands puts other deadbands in the place of the configured ones, 0 turning one off. A field
// that deadbands does not name has its configured deadband again.
func (c *Chain) SetDeadbands(deadbands map[string]float64) {
	for _, f := range c.fields {
		f.deadband = f.config.Deadband
	}
	for name, deadband := range deadbands {
		i := c.index(name)
		if i < 0 {
			c.add(name, config.FieldFilter{}).deadband = deadband
			continue
		}
		c.fields[i].deadband = deadband
	}
}

// Force keeps the next reading whatever the deadbands say: because the last one was lost after
// Apply, or because the receiver should see the sensor come back.
func (c *Chain) Force() { c.forced = true }

// Convert does to values what needs no memory: scale, offset, min and max.
func (c *Chain) Convert(values []drivers.Value) {
	for i := range values {
		c.at(i, values[i].Field).convert(&values[i])
	}
}

// Apply filters the reading measured at up, in place, and reports whether to keep it.
func (c *Chain) Apply(up time.Duration, values []drivers.Value) (keep bool) {
	votes, moved := false, c.forced
	heartbeat := time.Duration(math.MaxInt64)
	for i := range values {
		v := &values[i]
		f := c.at(i, v.Field)
		f.convert(v)
		f.average(v)
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
	if votes && !moved && !due {
		return false
	}
	c.forced, c.kept = false, up
	for i := range values {
		c.fields[i].kept = values[i]
	}
	return true
}

// at returns the field with this name and moves it to place i, where the next reading will have it.
func (c *Chain) at(i int, name string) *field {
	if i < len(c.fields) && c.fields[i].name == name {
		return c.fields[i]
	}
	j := c.index(name)
	if j < 0 {
		c.add(name, config.FieldFilter{})
		j = len(c.fields) - 1
	}
	c.fields[i], c.fields[j] = c.fields[j], c.fields[i]
	return c.fields[i]
}

func (c *Chain) index(name string) int {
	return slices.IndexFunc(c.fields, func(f *field) bool { return f.name == name })
}

func (f *field) convert(v *drivers.Value) {
	f.outside = false
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return
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
	if f.config.Average > 1 && (v.Kind() == drivers.KindFloat || v.Kind() == drivers.KindInt) {
		*v = drivers.Float(v.Field, f.window.add(v.Float()))
	}
}

// moved reports whether v is news by the field's deadband or on_change.
func (f *field) moved(v drivers.Value) bool {
	if f.config.OnChange && v != f.kept {
		return true
	}
	return f.deadband > 0 && math.Abs(v.Float()-f.kept.Float()) > f.deadband
}
