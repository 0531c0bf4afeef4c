package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/filter"
)

const (
	kind        = "limit" // as contract.AlarmEvent has it
	bucket, key = "alarms", "raised"
	// storeTimeout bounds a call of the store, for which a sensor waits when an alarm changes.
	storeTimeout = 5 * time.Second
)

// Store keeps which alarms are raised.
type Store interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte) error
}

// Config is what Alarms is made of.
type Config struct {
	Sensors []config.Sensor
	Store   Store
	Event   func(contract.AlarmEvent)
	Log     *slog.Logger
}

// Alarms are the limits of all sensors. Its methods may be called from any goroutine.
type Alarms struct {
	cfg Config

	mu     sync.Mutex
	limits map[string][]*limit // by sensor
	texts  map[string]string   // what is raised, by sensor and field
}

// New makes the alarms of a configuration. Those that were raised when the program ended are still
// raised; of those whose field has no limit any more, the end is reported.
func New(c Config) *Alarms {
	a := &Alarms{cfg: c, limits: map[string][]*limit{}, texts: map[string]string{}}
	kept := a.load()
	for i := range c.Sensors {
		s := &c.Sensors[i]
		fields, _ := filter.Fields(s)
		for name, f := range s.Fields {
			if f.AlarmAbove == nil && f.AlarmBelow == nil {
				continue
			}
			l := &limit{field: f.Name(name), config: f}
			if i := slices.IndexFunc(fields, func(f drivers.Field) bool { return f.Name == l.field }); i >= 0 {
				l.unit = fields[i].Unit
			}
			l.raised = kept[s.Name][l.field]
			if l.raised != within {
				a.texts[s.Name+"/"+l.field] = fmt.Sprintf("%s of sensor %s was %s its limit before the start", l.field, s.Name, l.raised)
				delete(kept[s.Name], l.field)
			}
			a.limits[s.Name] = append(a.limits[s.Name], l)
		}
	}
	for sensor, fields := range kept {
		for field := range fields {
			a.report(contract.AlarmEvent{Alarm: kind, State: "cleared", Sensor: sensor, Field: field, Detail: fmt.Sprintf("%s of sensor %s has no limit any more", field, sensor)})
		}
	}
	return a
}

// Reading takes in a reading as the filter left it, kept or not. Readings of one sensor come from
// one goroutine at a time.
func (a *Alarms) Reading(sensor string, up time.Duration, values []drivers.Value) {
	limits := a.limits[sensor] // which do not change
	if limits == nil {
		return
	}
	if events := a.see(sensor, limits, up, values); len(events) > 0 {
		a.report(events...)
	}
}

// report gives events to their receiver, and then makes durable what is raised now, which makes the
// events durable as well: one that was sent is not sent by the next run again.
func (a *Alarms) report(events ...contract.AlarmEvent) {
	for _, e := range events {
		a.cfg.Event(e)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := a.cfg.Store.Put(ctx, bucket, key, a.raised()); err != nil {
		a.cfg.Log.Warn("which alarms are raised could not be kept: after a restart they may be raised again", "err", err)
	}
}

// see returns what a reading raises and clears.
func (a *Alarms) see(sensor string, limits []*limit, up time.Duration, values []drivers.Value) (events []contract.AlarmEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range limits {
		i := slices.IndexFunc(values, func(v drivers.Value) bool { return v.Field == l.field })
		if i < 0 {
			continue
		}
		v := values[i]
		cleared, raised := l.see(v, up)
		if cleared == within && raised == within {
			continue
		}
		e := contract.AlarmEvent{Alarm: kind, Sensor: sensor, Field: l.field, Value: v.Any()}
		if cleared != within {
			delete(a.texts, sensor+"/"+l.field)
			e.State, e.Detail = "cleared", fmt.Sprintf("%s of sensor %s is %s, no longer %s its limit", l.field, sensor, l.number(v), cleared)
			a.cfg.Log.Info("alarm cleared", "sensor", sensor, "field", l.field, "value", e.Value)
			events = append(events, e)
		}
		if raised != within {
			e.State, e.Detail = "raised", fmt.Sprintf("%s of sensor %s is %s", l.field, sensor, l.describe(v, raised))
			a.texts[sensor+"/"+l.field] = e.Detail
			a.cfg.Log.Warn("alarm raised", "sensor", sensor, "field", l.field, "value", e.Value, "is", string(raised))
			events = append(events, e)
		}
	}
	return events
}

// Raised says what is beyond its limits, a sentence each.
func (a *Alarms) Raised() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for _, k := range slices.Sorted(maps.Keys(a.texts)) {
		list = append(list, a.texts[k])
	}
	return list
}

// load returns which alarms were raised when the program ended, by sensor and field.
func (a *Alarms) load() map[string]map[string]side {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	kept := map[string]map[string]side{}
	text, err := a.cfg.Store.Get(ctx, bucket, key)
	if err != nil || text == nil {
		return kept // nothing was kept, or the store says itself what is wrong with it
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		a.cfg.Log.Warn("which alarms were raised before the start is not known", "err", err)
	}
	return kept
}

// raised is what load returns after the next start.
func (a *Alarms) raised() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := map[string]map[string]side{}
	for sensor, limits := range a.limits {
		for _, l := range limits {
			if l.raised == within {
				continue
			}
			if kept[sensor] == nil {
				kept[sensor] = map[string]side{}
			}
			kept[sensor][l.field] = l.raised
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		panic(err) // maps of strings
	}
	return text
}
