package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
)

// A view is a snapshot as the templates need it.
type view struct {
	Status  contract.LocalStatus
	Time    string // of the snapshot
	Zone    string // that times are in
	Tiles   []tile
	Sensors []sensorView
	Link    linkView
	Queue   queueView
	Losses  []contract.Loss
	// Causes are what became of readings that nobody got, or that became others.
	Causes   []cause
	Commands []commandView
	Settings []contract.Setting
}

// A tile answers one of the three questions that a viewer has.
type tile struct {
	Title, Tone string // ok, warn, bad, idle
	Big         string
	Small       []string
}

type sensorView struct {
	Name, State, Tone string
	Every, Taken      string
	Old               bool // the values: it is not read now
	Fields            []fieldView
	Complaints        []string
	Reads, Failures   uint64
}

type fieldView struct {
	Name, Value, Unit, Bad string
	Spark                  *spark
}

type linkView struct {
	Text, Traffic string
	Day           *dayView
	Outages       []outageView
	Count         int
}

type outageView struct{ From, Long, Cause string }

type queueView struct {
	Text, Rates, Delivered string
	Waiting                int64
	Backlog, Peak          int64 // Peak is what it was at most since it was empty
	Bytes, MaxBytes        int64
	Used                   string
	Forecast, Lasts        string
}

// Drained is the part of a backlog that has been delivered, in percent.
func (q queueView) Drained() int64 { return (q.Peak - q.Backlog) * 100 / max(q.Peak, 1) }

// Percent is how full the store is.
func (q queueView) Percent() int64 { return q.Bytes * 100 / max(q.MaxBytes, 1) }

type cause struct {
	Name, Meaning string
	Count         uint64
}

type commandView struct{ Op, ID, At, State, Error, Tone string }

// view takes a snapshot.
func (p *Page) view() *view {
	s := p.cfg.View.Status()
	up := p.cfg.Up()
	h := &s.Health
	v := &view{Status: s, Time: clockTime(h.TS, h.Up, time.TimeOnly), Zone: zone(h.TS), Settings: s.Settings, Losses: p.history.newestLosses()}
	for _, name := range slices.Sorted(maps.Keys(h.Sensors)) {
		v.Sensors = append(v.Sensors, p.sensor(&s, name, up))
	}
	day, outages, count := p.history.day(up)
	v.Link = linkView{Text: whole(health.LinkText(s)), Traffic: whole(health.TrafficText(h.Link)), Day: dayOf(day), Count: count}
	for _, o := range outages {
		end, long := up, "so far"
		if o.ended > 0 {
			end, long = o.ended, ""
		}
		v.Link.Outages = append(v.Link.Outages, outageView{From: ago(*h, o.began), Long: strings.TrimSpace(health.Span(end-o.began) + " " + long), Cause: o.cause})
	}
	q := h.Queue
	v.Queue = queueView{Text: whole(health.QueueText(*h)), Rates: health.RatesText(q), Delivered: health.DeliveredText(q), Waiting: q.Live + q.Backlog, Backlog: q.Backlog,
		Bytes: q.Bytes, MaxBytes: q.MaxBytes, Used: fmt.Sprintf("%s of %s", health.Bytes(float64(q.Bytes)), health.Bytes(float64(q.MaxBytes))),
		Forecast: health.Forecast(q)}
	if q.HoursToFull == nil { // which is measured
		v.Queue.Lasts = lasts(q, p.history.shape(), p.cfg.MaxLoss)
	}
	for _, c := range []cause{
		{"Dropped, the store was full", "the oldest gave way (evicted) or the newest were not taken (rejected): buffer.when_full", q.Evicted + q.Rejected},
		{"Expired", "older than their sensor's ttl", q.Expired},
		{"Thinned", "became part of a mean: buffer.when_full", q.Thinned},
		{"Refused by the broker", "kept as dead letters: fieldgate queue dead-letter list", q.Refused},
		{"Without a subscriber", "the broker took them, and nobody had subscribed", q.Unrouted},
	} {
		if c.Count > 0 {
			v.Causes = append(v.Causes, c)
		}
	}
	for _, c := range p.cfg.View.Recent(shownCommands) {
		state := cmp.Or(c.State, "running")
		v.Commands = append(v.Commands, commandView{c.Op, cut(c.ID, 40), came(c.At, h.TS), state, c.Error, toneOfReply(state)})
	}
	v.Tiles = tiles(v, h)
	return v
}

// tiles are the answers: does it measure, does it deliver, how long does the buffer last.
func tiles(v *view, h *contract.Health) []tile {
	good, worst := 0, "ok"
	for i := range v.Sensors {
		switch t := v.Sensors[i].Tone; t {
		case "bad":
			worst = t
		case "warn":
			if worst == "ok" {
				worst = t
			}
		}
		if v.Sensors[i].State == "ok" {
			good++
		}
	}
	measures := tile{Title: "Measures", Tone: worst, Big: fmt.Sprintf("%d of %d sensors ok", good, len(v.Sensors)), Small: []string{rate(h.Queue.RateIn)}}
	if n := badFields(h); n == 1 {
		measures.Small = append(measures.Small, "1 field has no value")
	} else if n > 1 {
		measures.Small = append(measures.Small, fmt.Sprintf("%d fields have no value", n))
	}
	if len(v.Sensors) == 0 {
		measures.Tone, measures.Big = "idle", "No sensors"
	}

	l, q := h.Link, h.Queue
	delivers := tile{Title: "Delivers", Tone: "ok", Small: []string{rate(q.RateOut)}}
	switch {
	case l.Connected:
		delivers.Big = "Online"
		delivers.Small = append(delivers.Small, "for "+health.Span(time.Duration((h.Up-l.Since)*1e9)))
	case l.Asleep:
		delivers.Tone, delivers.Big = "idle", "Asleep"
		delivers.Small = []string{health.Asleep(*h)}
	default:
		delivers.Tone, delivers.Big = "bad", "Offline"
		delivers.Small = []string{"for " + health.Span(time.Duration((h.Up-l.Since)*1e9))}
		if l.Error != "" {
			delivers.Small = append(delivers.Small, l.Error)
		}
	}

	buffer := tile{Title: "Buffer", Tone: "ok", Big: count(v.Queue.Waiting) + " waiting"}
	if v.Queue.Waiting == 0 {
		buffer.Big = "Empty"
	}
	used := v.Queue.Percent()
	switch {
	case used >= 90:
		buffer.Tone = "bad"
	case used >= 60 || q.HoursToFull != nil && *q.HoursToFull < 24:
		buffer.Tone = "warn"
	}
	switch {
	case v.Queue.Forecast != "":
		buffer.Small = append(buffer.Small, v.Queue.Forecast)
	case v.Queue.Lasts != "":
		buffer.Small = append(buffer.Small, v.Queue.Lasts)
	}
	buffer.Small = append(buffer.Small, fmt.Sprintf("%d %% of %s used", used, health.Bytes(float64(q.MaxBytes))))
	return []tile{measures, delivers, buffer}
}

// sensor makes the view of a sensor.
func (p *Page) sensor(s *contract.LocalStatus, name string, up time.Duration) sensorView {
	h := s.Health.Sensors[name]
	v := sensorView{Name: name, State: h.State, Tone: toneOf(h), Complaints: health.Complaints(h), Reads: h.Reads, Failures: h.Failures}
	set := s.Shadow.State.Sensors[name]
	v.Every = set.Every
	if s.Origins["sensors."+name+".every"] != "" {
		v.Every += " (shadow)"
	}
	newest, ok := s.Newest[name]
	if !ok {
		return v
	}
	v.Taken = clockTime(newest.TS, newest.Up, time.TimeOnly)
	v.Old = v.Tone == "bad" || h.State == "stale" || h.State == "disabled"
	for _, f := range newest.Values {
		value, unit := shown(f.Value, f.Unit)
		v.Fields = append(v.Fields, fieldView{Name: f.Field, Value: value, Unit: unit, Bad: f.Bad, Spark: sparkOf(p.history.hour(name, f.Field, up), f)})
	}
	return v
}

// toneOf returns how serious a sensor's state is.
func toneOf(h contract.SensorHealth) string {
	switch h.State {
	case "ok":
		if len(h.Bad) > 0 || h.Flaps > 0 {
			return "warn"
		}
		return "ok"
	case "starting", "disabled":
		return "idle"
	case "frozen", "stale":
		return "warn"
	}
	return "bad"
}

func toneOfReply(state string) string {
	switch state {
	case contract.Succeeded:
		return "ok"
	case contract.Failed, contract.Interrupted:
		return "bad"
	case contract.Rejected:
		return "warn"
	}
	return "idle"
}
