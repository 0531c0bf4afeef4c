// Package sensors is the sensors of the gateway between their configuration and the store: it makes
// a sampler for each, keeps what they measure, reports when their state changes or a field is
// beyond its limits, and describes them for the cloud. How a sensor is read is package sampling's;
// what becomes of a reading is the store's.
package sensors

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/alarm"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/filter"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Config is what Sensors is made of.
type Config struct {
	Gateway string // its id
	Sensors []config.Sensor
	Buses   drivers.Buses
	Store   *buffer.Store
	Clock   *clock.Clock
	// Watchers are given each reading while somebody follows them.
	Watchers Watchers
	Readers  []Reader
	// Alarm is given what is raised and cleared: a field beyond its limits.
	Alarm func(contract.AlarmEvent)
	// Changed is called when a sensor came into another state. It must not block long.
	Changed func(sampling.State)
	// Describe is given the description of a sensor whenever it changes.
	Describe func(sensor string, text []byte)
	// Beat returns what the loop of a sensor calls as sampling.Deps.Beat.
	Beat func(sensor string) func(wait time.Duration)
	Log  *slog.Logger
}

// A Reader is given each reading before it is stored. It must not block or keep the values.
type Reader func(sensor string, up time.Duration, values []drivers.Value)

// Watchers are those who follow the readings.
type Watchers interface {
	// Watched reports whether there are any: if not, no document needs to be made.
	Watched() bool
	// Publish hands over a reading. It does not block.
	Publish(contract.Telemetry)
}

// Sensors is all sensors of a gateway.
type Sensors struct {
	cfg     Config
	sensors map[string]*sensor
	alarms  *alarm.Alarms
}

// sensor is one configured sensor.
type sensor struct {
	config   *config.Sensor
	fields   []drivers.Field // as they are after the filters
	sentAt   []int           // where each of the driver's fields is in fields; -1: it is dropped
	sampler  *sampling.Sampler
	settings sampling.Settings // in force; Apply's
	body     []byte            // of the newest reading; reused, the sampler is its only user

	mu     sync.Mutex
	newest []drivers.Value // that were kept
	taken  time.Duration   // when newest was, since power-up
}

// New makes the sensors. Those on one bus that can be shared have a lock in common.
func New(c Config) *Sensors {
	s := &Sensors{cfg: c, sensors: map[string]*sensor{}, alarms: alarm.New(alarm.Config{Sensors: c.Sensors, Store: c.Store, Event: c.Alarm, Log: c.Log})}
	locks := map[string]*sampling.BusLock{}
	for i := range c.Sensors {
		sc := &c.Sensors[i]
		var lock *sampling.BusLock
		if sc.Spec.Shared {
			bus := cmp.Or(sc.Bus, sc.Spec.Name) // 1-Wire has one bus, without a name
			if locks[bus] == nil {
				locks[bus] = sampling.NewBusLock()
			}
			lock = locks[bus]
		}
		s.sensors[sc.Name] = s.newSensor(sc, lock)
	}
	return s
}

func (s *Sensors) newSensor(c *config.Sensor, lock *sampling.BusLock) *sensor {
	v := &sensor{config: c}
	v.fields, v.sentAt = filter.Fields(c)
	v.sampler = sampling.New(sampling.Config{
		Name: c.Name, Bus: c.Bus, Timeout: c.Timeout, FrozenAfter: c.FrozenAfter, Fields: c.Fields, Computed: c.Computed,
		Settings: sampling.Settings{Every: c.Every, Enabled: c.Enabled},
		Open: func(ctx context.Context) (drivers.Driver, error) {
			return c.Spec.Open(ctx, s.cfg.Buses, c.Bus, c.Options)
		},
	}, sampling.Deps{
		Sink: func(ctx context.Context, _ string, up time.Duration, values []drivers.Value) error {
			return s.keep(ctx, v, up, values)
		},
		OnReading: func(up time.Duration, values []drivers.Value) { s.alarms.Reading(c.Name, up, values) },
		Up:        s.cfg.Clock.Up, Wall: time.Now, BusLock: lock, Beat: s.cfg.Beat(c.Name), Log: s.cfg.Log, OnState: s.cfg.Changed,
	})
	return v
}

// keep gives a reading to the store. From here on it is the store's to promise. Its time has the
// milliseconds that the documents have: the rest of it would be a quarter of what is stored.
func (s *Sensors) keep(ctx context.Context, v *sensor, up time.Duration, values []drivers.Value) error {
	v.mu.Lock()
	v.newest, v.taken = append(v.newest[:0], values...), up
	v.mu.Unlock()
	up = up.Truncate(time.Millisecond)
	for _, read := range s.cfg.Readers {
		read(v.config.Name, up, values)
	}
	v.body = reading.Append(v.body[:0], values)
	seq, err := s.cfg.Store.Append(ctx, buffer.Readings, v.config.Name, up, v.body)
	if err == nil && s.cfg.Watchers.Watched() {
		t, _ := s.cfg.Clock.Time(s.cfg.Clock.Boot(), up)
		r := contract.Reading{Seq: seq, TS: contract.Time{Time: t}, Measured: v.measured(values)}
		if t.IsZero() {
			seconds := up.Seconds()
			r.Up = &seconds
		}
		s.cfg.Watchers.Publish(contract.Telemetry{V: contract.Version, Gateway: s.cfg.Gateway, Run: s.cfg.Store.Run(), Sensor: v.config.Name, Readings: []contract.Reading{r}})
	}
	return err
}

// Runs returns what each sensor runs, by its name, until the context ends.
func (s *Sensors) Runs() map[string]func(context.Context) error {
	runs := map[string]func(context.Context) error{}
	for name, v := range s.sensors {
		runs[name] = v.sampler.Run
	}
	return runs
}

// Apply puts settings in force and describes the sensors whose settings changed. It is called by
// one goroutine at a time.
func (s *Sensors) Apply(settings map[string]sampling.Settings) {
	for name, next := range settings {
		v := s.sensors[name]
		if reflect.DeepEqual(next, v.settings) {
			continue // applying aligns the schedule again
		}
		v.settings = next
		v.sampler.Apply(next)
		s.cfg.Describe(name, v.describe())
	}
}

// describe renders P/sensors/<sensor>.
func (v *sensor) describe() []byte {
	d := contract.Sensor{V: contract.Version, Sensor: v.config.Name, Labels: v.config.Labels, Driver: v.config.Driver, Bus: v.config.Bus, Every: v.settings.Every.String(), Fields: map[string]contract.Field{}}
	for _, f := range v.fields {
		d.Fields[f.Name] = contract.Field{Unit: f.Unit, Type: f.Kind.String(), Doc: f.Describe(), Writable: f.Writable}
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // a struct of strings
	}
	return text
}

// Measure measures once with a sensor, outside of its schedule; false: there is no such sensor.
func (s *Sensors) Measure(ctx context.Context, name string) (contract.Measured, bool, error) {
	v := s.sensors[name]
	if v == nil {
		return contract.Measured{}, false, nil
	}
	values, err := v.sampler.ReadNow(ctx)
	if err != nil {
		return contract.Measured{}, true, err
	}
	return v.measured(values), true, nil
}

// measured gives measured values the form that documents have.
func (v *sensor) measured(values []drivers.Value) contract.Measured {
	m := contract.Measured{Fields: make(map[string]any, len(values))}
	for i := range values {
		x := &values[i]
		m.Fields[x.Field] = x.Any()
		if reason := x.Reason(); reason != "" {
			if m.Bad == nil {
				m.Bad = map[string]string{}
			}
			m.Bad[x.Field] = reason
		}
		if unit := v.unit(x.Field); unit != "" {
			if m.Units == nil {
				m.Units = map[string]string{}
			}
			m.Units[x.Field] = unit
		}
	}
	return m
}

// Newest returns the last reading of each sensor that was kept, if there is one.
func (s *Sensors) Newest() map[string]contract.Newest {
	all := make(map[string]contract.Newest, len(s.sensors))
	for name, v := range s.sensors {
		v.mu.Lock()
		if len(v.newest) > 0 {
			t, _ := s.cfg.Clock.Time(s.cfg.Clock.Boot(), v.taken)
			n := contract.Newest{TS: contract.Time{Time: t}, Up: v.taken.Seconds(), Values: make([]contract.Value, len(v.newest))}
			for i := range v.newest {
				x := &v.newest[i]
				n.Values[i] = contract.Value{Field: x.Field, Unit: v.unit(x.Field), Value: x.Any(), Bad: x.Reason()}
			}
			all[name] = n
		}
		v.mu.Unlock()
	}
	return all
}

// Values calls f for each number that was measured last, and for each switch with 0 or 1.
func (s *Sensors) Values(f func(sensor, field, unit string, value float64)) {
	for _, c := range s.cfg.Sensors {
		v := s.sensors[c.Name]
		v.mu.Lock()
		for i := range v.newest {
			x := &v.newest[i]
			number := x.Float()
			switch x.Kind() {
			case drivers.KindBool:
				if x.Bool() {
					number = 1
				}
			case drivers.KindFloat, drivers.KindInt:
			default:
				continue
			}
			f(c.Name, x.Field, v.unit(x.Field), number)
		}
		v.mu.Unlock()
	}
}

// unit returns the unit of a field; "": it has none.
func (v *sensor) unit(field string) string {
	if i := slices.IndexFunc(v.fields, func(f drivers.Field) bool { return f.Name == field }); i >= 0 {
		return v.fields[i].Unit
	}
	return ""
}

// Numeric returns the fields of every sensor that can have a deadband.
func (s *Sensors) Numeric() map[string][]string {
	names := map[string][]string{}
	for name, v := range s.sensors {
		for _, f := range v.fields {
			if f.Kind == drivers.KindFloat || f.Kind == drivers.KindInt {
				names[name] = append(names[name], f.Name)
			}
		}
	}
	return names
}

// Write sets writable fields of a sensor to JSON values and returns what a reading after that says;
// false: there is no such sensor.
func (s *Sensors) Write(ctx context.Context, name string, members map[string]json.RawMessage) (contract.Measured, bool, error) {
	v := s.sensors[name]
	if v == nil {
		return contract.Measured{}, false, nil
	}
	var values []drivers.Value
	for i, f := range v.config.Spec.Fields(v.config.Options) {
		if v.sentAt[i] < 0 {
			continue
		}
		sent := v.fields[v.sentAt[i]]
		text, named := members[sent.Name]
		switch {
		case !named:
			continue
		case !sent.Writable:
			return contract.Measured{}, true, fmt.Errorf("%s of sensor %s cannot be written", sent.Name, name)
		}
		value, err := valueOf(sent, text)
		if err == nil {
			value, err = filter.Revert(v.config.Fields[f.Name], value, f.Kind)
		}
		if err != nil {
			return contract.Measured{}, true, err
		}
		value.Field = f.Name
		values = append(values, value)
	}
	if len(values) < len(members) {
		return contract.Measured{}, true, fmt.Errorf("sensor %s has no such fields: it can set %q", name, v.writable())
	}
	measured, err := v.sampler.Write(ctx, values)
	if err != nil {
		return contract.Measured{}, true, err
	}
	return v.measured(measured), true, nil
}

func (v *sensor) writable() (names []string) {
	for _, f := range v.fields {
		if f.Writable {
			names = append(names, f.Name)
		}
	}
	return names
}

// valueOf reads the JSON value of a field.
func valueOf(f drivers.Field, text json.RawMessage) (drivers.Value, error) {
	if string(bytes.TrimSpace(text)) == "null" { // which decodes into anything
		return drivers.Value{}, fmt.Errorf("%s cannot be set to null", f.Name)
	}
	var err error
	switch f.Kind {
	case drivers.KindFloat:
		var x float64
		if err = json.Unmarshal(text, &x); err == nil {
			return drivers.Float(f.Name, x), nil
		}
	case drivers.KindInt:
		var x int64
		if err = json.Unmarshal(text, &x); err == nil {
			return drivers.Int(f.Name, x), nil
		}
	case drivers.KindBool:
		var x bool
		if err = json.Unmarshal(text, &x); err == nil {
			return drivers.Bool(f.Name, x), nil
		}
	case drivers.KindString:
		var x string
		if err = json.Unmarshal(text, &x); err == nil {
			return drivers.String(f.Name, x), nil
		}
	}
	return drivers.Value{}, fmt.Errorf("%s is a %s, not %s", f.Name, f.Kind, text)
}

// Retained returns the topics on which a gateway with these sensors keeps a retained message,
// others included.
func (s *Sensors) Retained(t contract.Topics, others []string) map[string]bool {
	topics := map[string]bool{t.Status(): true, t.Health(): true}
	for _, topic := range others {
		topics[topic] = true
	}
	for _, c := range s.cfg.Sensors {
		topics[t.Sensor(c.Name)] = true
		if c.Last {
			topics[t.Last(c.Name)] = true
		}
	}
	return topics
}

// KeepsLast reports whether P/last is kept for a sensor; not for one that the configuration no
// longer has.
func (s *Sensors) KeepsLast(name string) bool {
	v := s.sensors[name]
	return v != nil && v.config.Last
}

// Alarms says which fields are beyond their limits, a sentence each.
func (s *Sensors) Alarms() []string { return s.alarms.Raised() }

// States returns the states of the sensors, in the order of the configuration.
func (s *Sensors) States() []sampling.State {
	states := make([]sampling.State, len(s.cfg.Sensors))
	for i := range s.cfg.Sensors {
		states[i] = s.sensors[s.cfg.Sensors[i].Name].sampler.State()
	}
	return states
}
