package homeassistant

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/filter"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// A source is where Home Assistant finds the readings of a sensor.
type source int

const (
	nowhere   source = iota
	last             // P/last: also there when Home Assistant starts
	telemetry        // P/telemetry, if it can read that
)

func sourceOf(c *config.Config, s *config.Sensor) source {
	switch {
	case s.Last:
		return last
	case c.Telemetry.Format == "json" && c.Telemetry.Compress == config.CompressNone:
		return telemetry
	}
	return nowhere
}

// lifeMin is how long a value lives at least: a short outage is not worth an unavailable entity.
const lifeMin = time.Minute

// lifeOf returns for how long a value counts that comes every so often, from a gateway that is
// online every so often: three of them may be missing.
func lifeOf(every, online time.Duration) time.Duration {
	return max(3*max(every, online), lifeMin).Round(time.Second)
}

// life returns for how long a reading of a sensor counts; 0: nothing bounds the time between two.
func life(c *config.Config, s *config.Sensor, in sampling.Settings) time.Duration {
	every := in.Every
	votes, heartbeat := false, time.Duration(math.MaxInt64)
	for _, deadband := range in.Deadband {
		votes = votes || deadband > 0
	}
	for name, f := range s.Fields {
		if f.Drop {
			continue
		}
		_, changed := in.Deadband[name]
		votes = votes || f.OnChange || f.Deadband > 0 && !changed
		if f.Heartbeat > 0 {
			heartbeat = min(heartbeat, f.Heartbeat)
		}
	}
	switch {
	case every == 0, votes && heartbeat == math.MaxInt64:
		return 0
	case votes:
		every += heartbeat
	}
	return (lifeOf(every, time.Duration(c.MQTT.Online)) + c.Linger(s.Name)).Round(time.Second)
}

// sensor returns the document of a sensor.
func (f *Facts) sensor(s *config.Sensor, from source, in sampling.Settings) []byte {
	d := f.document(f.id(s.Name), s.Name, s.Driver)
	d.Device.Via = f.id("")
	e := entities{facts: f, sensor: s, life: life(f.Config, s, in), topic: f.Topics.Last(s.Name), from: from}
	works := []string{"ok", "bad", "frozen", "starting"}
	if from == telemetry {
		e.topic = f.Topics.Telemetry(s.Name)
	}
	if e.life > 0 { // what fails once has a value still
		works = append(works, "failing")
	}
	d.Availability = append(d.Availability, availability{f.Topics.Health(), oneOf("value_json.sensors.get('"+s.Name+"', {}).get('state')", works...)})
	fields, _ := filter.Fields(s)
	lat, lon := position(fields)
	for i := range fields {
		if !(lat != "" && (fields[i].Name == lat || fields[i].Name == lon)) {
			d.add(fields[i].Name, e.entity(fields[i]))
		}
	}
	if lat != "" {
		d.add("_position", e.tracker(lat, lon))
	}
	return d.text()
}

// position returns the names of the latitude and the longitude among fields, "" if there is not
// exactly one of each.
func position(fields []drivers.Field) (lat, lon string) {
	named := map[string][]string{}
	for _, f := range fields {
		named[f.Unit] = append(named[f.Unit], f.Name)
	}
	if a, b := named[drivers.Latitude.Unit()], named[drivers.Longitude.Unit()]; len(a) == 1 && len(b) == 1 {
		return a[0], b[0]
	}
	return "", ""
}

// entities makes the entities of one sensor.
type entities struct {
	facts  *Facts
	sensor *config.Sensor
	life   time.Duration
	topic  string
	from   source
}

// value returns the template of a field's value in a form.
func (e *entities) value(field, form string) string {
	return readingAt(e.from == telemetry) + ifFresh(fieldOf(field), "r.ts", e.life) + form
}

// entity returns the entity of a field as it is sent.
func (e *entities) entity(field drivers.Field) component {
	writable := field.Writable && slices.Contains(e.facts.Config.Commands.Allow, "write")
	c := component{Platform: "sensor", StateTopic: e.topic, ExpireAfter: e.life.Seconds(), ValueTemplate: e.value(field.Name, asNumber)}
	switch field.Kind {
	case drivers.KindString:
		c.ValueTemplate = e.value(field.Name, asText)
	case drivers.KindBool:
		c.Platform, c.ValueTemplate = "binary_sensor", e.value(field.Name, asSwitch)
		if writable {
			e.writes(&c, "switch", field.Name, "'true' if value == 'ON' else 'false'")
		}
	default:
		m := measureOf(field.Name, field.Unit)
		c.DeviceClass, c.StateClass, c.Unit = m.class, m.state, m.unit
		if m.state == increasing {
			c.StateClass = e.growth(field.Name)
		}
		if low, high, ok := bounds(e.sensor, field); ok && writable {
			e.writes(&c, "number", field.Name, "value")
			c.StateClass, c.Min, c.Max, c.Mode, c.Step = "", &low, &high, "box", 0.001
			if field.Kind == drivers.KindInt {
				c.Step = 1
			}
		}
	}
	return c
}

// writes makes an entity one that sets its field.
func (e *entities) writes(c *component, platform, field, value string) {
	c.Platform, c.ExpireAfter = platform, 0 // which it does not have
	c.CommandTopic, c.CommandTemplate = e.facts.Topics.Command("write"), writes(e.sensor.Name, field, value)
}

// growth returns the state class of a field that counts: a computed one may fall without that a
// counter began again, and of one with delta there is nothing to sum up.
func (e *entities) growth(field string) string {
	if filterOf(e.sensor, field).Delta {
		return ""
	}
	if slices.ContainsFunc(e.sensor.Computed, func(c config.Computed) bool { return c.Field == field }) {
		return total
	}
	return increasing
}

// tracker returns the entity of a position. One that is null or old is not known.
func (e *entities) tracker(lat, lon string) component {
	position := "{'latitude': " + fieldOf(lat) + ", 'longitude': " + fieldOf(lon) + "} if " + fresh("r.ts", e.life) + " else {'latitude': none, 'longitude': none}"
	return component{Platform: "device_tracker", AttributesTopic: e.topic, AttributesTemplate: readingAt(e.from == telemetry) + "{{ (" + position + ") | tojson }}"}
}

// filterOf returns the filter of a field as it is sent.
func filterOf(s *config.Sensor, field string) config.FieldFilter {
	for name, f := range s.Fields {
		if f.Name(name) == field {
			return f
		}
	}
	return config.FieldFilter{}
}

// bounds returns what a writable number can be set to; false: it has no bounds, or cannot be set.
func bounds(s *config.Sensor, field drivers.Field) (low, high float64, ok bool) {
	f := filterOf(s, field.Name)
	low, high = field.Min, field.Max
	if field.Range == (drivers.Range{}) {
		low, high = math.Inf(-1), math.Inf(1)
	}
	if f.Min != nil {
		low = max(low, *f.Min)
	}
	if f.Max != nil {
		high = min(high, *f.Max)
	}
	return low, high, low < high && !math.IsInf(low, 0) && !math.IsInf(high, 0) && f.Calibration == nil && !f.Delta && f.Rate == 0
}

// Warnings says which sensors and fields Home Assistant does not get as their owner may expect, a
// sentence each.
func Warnings(c *config.Config) (list []string) {
	if !c.HomeAssistant.Discovery {
		return nil
	}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if sourceOf(c, s) == nowhere {
			list = append(list, fmt.Sprintf("sensor %q is not announced to Home Assistant: it has last = false, and Home Assistant reads telemetry only with format = \"json\" and compress = \"none\"", s.Name))
			continue
		}
		if !slices.Contains(c.Commands.Allow, "write") {
			continue
		}
		fields, _ := filter.Fields(s)
		for _, f := range fields {
			number := f.Kind == drivers.KindFloat || f.Kind == drivers.KindInt
			if _, _, ok := bounds(s, f); f.Writable && number && !ok {
				list = append(list, fmt.Sprintf("sensor %q: Home Assistant only shows %s and does not set it: give the field min and max", s.Name, f.Name))
			}
		}
	}
	return list
}
