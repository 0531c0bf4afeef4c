package page

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
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
	newest, ok := p.cfg.View.Newest(name)
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

// clockTime writes a time by the gateway's clock, or since power-up if the time is not known.
func clockTime(t contract.Time, up float64, layout string) string {
	if !t.IsZero() {
		return t.Local().Format(layout)
	}
	if up == 0 {
		return "–"
	}
	return "up " + health.Span(time.Duration(up*1e9))
}

func zone(t contract.Time) string {
	if t.IsZero() {
		return "the time is not known: times count from power-up"
	}
	name, _ := t.Local().Zone()
	return "times are the gateway's, " + name
}

// came writes when something was, with its day unless that is today.
func came(t, now contract.Time) string {
	layout := time.TimeOnly
	if t.Local().YearDay() != now.Local().YearDay() || t.Year() != now.Year() {
		layout = "Jan 2, 15:04"
	}
	return clockTime(t, 0, layout)
}

// ago writes a moment since power-up by the gateway's clock.
func ago(h contract.Health, up time.Duration) string {
	t := h.TS
	if !t.IsZero() {
		t.Time = t.Add(up - time.Duration(h.Up*1e9))
	}
	layout := time.TimeOnly
	if h.Up-up.Seconds() > 12*3600 {
		layout = "Mon 15:04"
	}
	return clockTime(t, up.Seconds(), layout)
}

func rate(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "no reading in the last minute"
	case perSecond < 0.1:
		return fmt.Sprintf("%.1f readings a minute", perSecond*60)
	}
	return fmt.Sprintf("%.1f readings a second", perSecond)
}

// badFields counts the fields without a value.
func badFields(h *contract.Health) (n int) {
	for _, s := range h.Sensors {
		n += len(s.Bad)
	}
	return n
}

// count writes a number with its thousands apart.
func count[T int64 | uint64 | int](n T) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// shown writes a value and its unit: bytes and long times as people say them.
func shown(v any, unit string) (text, its string) {
	size, ok := v.(float64)
	if n, whole := v.(int64); whole {
		size, ok = float64(n), true
	}
	switch {
	case ok && unit == "B" && size >= 1024:
		text, its, _ = strings.Cut(health.Bytes(size), " ")
		return text, its
	case ok && unit == "s" && size >= 120:
		return health.Span(health.Seconds(size)), ""
	}
	return valueText(v), unitText(unit)
}

// valueText writes a value with the digits that a person reads.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case float64:
		return number(v)
	case bool:
		if v {
			return "on"
		}
		return "off"
	case string:
		return cut(v, 80)
	}
	return fmt.Sprint(v)
}

// number writes at most three digits after the point, fewer of a large number and more of a small
// one.
func number(v float64) string {
	size := math.Abs(v)
	digits := 3
	switch {
	case size >= 1e15 || size < 0.01 && size > 0:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case size >= 1e5:
		digits = 0
	case size >= 1e4:
		digits = 1
	case size >= 100:
		digits = 2
	case size < 1:
		digits = 4
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

var beforeUnits = strings.NewReplacer(" B", "\u00a0B", " KiB", "\u00a0KiB", " MiB", "\u00a0MiB", " GiB", "\u00a0GiB", " TiB", "\u00a0TiB")

// whole keeps numbers of bytes and their units in one line.
func whole(text string) string { return beforeUnits.Replace(text) }

// unitText writes a unit of SenML as people do.
func unitText(unit string) string {
	switch unit {
	case "Cel":
		return "°C"
	case "%RH", "%EL":
		return "%"
	case "/":
		return ""
	}
	return unit
}
