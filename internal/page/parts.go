package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/internal/health"
)

// parts are the elements of the page that change, beside those of the sensors, by their ids.
var parts = []struct {
	id    string
	write func(*html, *view)
}{
	{"announce", writeAnnounce}, {"state", writeState}, {"tiles", writeTiles}, {"problems", writeProblems}, {"link", writeLink},
	{"queue", writeQueue}, {"losses", writeLosses}, {"card", writeCard}, {"remote", writeRemote}, {"identity", writeIdentity},
}

// writeAnnounce is for screen readers, which speak when it changes: it has no number that always
// does.
func writeAnnounce(h *html, v *view) {
	for _, t := range v.Tiles {
		what := t.Big
		if t.Title == "Buffer" {
			what = "has room"
			if t.Tone != "ok" {
				what = "fills up"
			}
		}
		h.put("{}: {}. ", t.Title, what)
	}
}

func writeState(h *html, v *view) {
	if v.Status.Health.State == "ok" {
		h.put(`<span class="badge ok">All is well</span>`)
		return
	}
	h.put(`<span class="badge bad">Needs attention</span>`)
}

func writeTiles(h *html, v *view) {
	for _, t := range v.Tiles {
		h.put(`<div class="tile {}"><h2>{}</h2><p class="big">{}</p>`, t.Tone, t.Title, t.Big)
		for _, s := range t.Small {
			h.put(`<p class="meta">{}</p>`, s)
		}
		h.put("</div>\n")
	}
}

func writeProblems(h *html, v *view) {
	s := v.Status
	if len(s.Health.Reasons)+len(s.Health.Alarms)+len(s.Problem) == 0 {
		return
	}
	h.put(`<section class="notice bad" aria-labelledby="h-problems"><h2 id="h-problems">What is wrong</h2><ul>`)
	for _, r := range slices.Concat(s.Health.Reasons, s.Problem) {
		h.put(`<li>{}</li>`, r)
	}
	for _, a := range s.Health.Alarms {
		h.put(`<li><strong>Alarm:</strong> {}</li>`, a)
	}
	h.put(`</ul></section>`)
}

func writeSensor(h *html, v *sensorView) {
	h.put(`<div class="title"><h3>{}</h3><span class="badge {}">{}</span></div>`, v.Name, v.Tone, v.State)
	if len(v.Complaints) > 0 {
		h.put(`<ul class="error">`)
		for _, c := range v.Complaints {
			h.put(`<li>{}</li>`, c)
		}
		h.put(`</ul>`)
	}
	if len(v.Fields) > 0 {
		class := "values"
		if v.Old {
			class = "values old"
		}
		h.put(`<table class="{}"><caption class="unseen">Newest values of {}</caption>`+
			`<thead class="unseen"><tr><th scope="col">Field</th><th scope="col">Last hour</th><th scope="col">Value</th></tr></thead><tbody>`, class, v.Name)
		for i := range v.Fields {
			writeField(h, &v.Fields[i])
		}
		h.put(`</tbody></table>`)
	}
	h.put(`<p class="meta">`)
	if v.Old && v.Taken != "" {
		h.put(`last read at {} · `, v.Taken)
	} else if v.Taken != "" {
		h.put(`{} · `, v.Taken)
	}
	if v.Every != "" {
		h.put(`every {}`, v.Every)
	}
	if v.Failures > 0 {
		h.put(` · {} failures, {} readings`, count(v.Failures), count(v.Reads))
	}
	h.put(`</p>`)
}

func writeField(h *html, f *fieldView) {
	h.put("\n" + `<tr><th scope="row">`)
	for i, word := range strings.SplitAfter(f.Name, "_") {
		if i > 0 {
			h.put(`<wbr>`)
		}
		h.put(`{}`, word)
	}
	h.put(`</th><td class="spark">`)
	if s := f.Spark; s != nil {
		h.put(`<svg viewBox="0 0 118 24" preserveAspectRatio="none" role="img" aria-label="{}">`, s.Label)
		if s.Band != "" {
			h.put(`<polygon points="{}"/>`, s.Band)
		}
		h.put(`<polyline points="{}"/></svg>`, s.Line)
	}
	h.put(`</td><td class="num">`)
	switch {
	case f.Bad != "":
		h.put(`<span class="none">–</span>`)
	default:
		h.put(`{}`, f.Value)
		if f.Unit != "" {
			h.put(` <span class="unit">{}</span>`, f.Unit)
		}
	}
	h.put(`</td></tr>`)
}

func writeLink(h *html, v *view) {
	l := v.Link
	h.put(`<p>{}</p><div class="day"><svg viewBox="0 0 288 16" preserveAspectRatio="none" role="img" aria-label="{}">`, l.Text, l.Day.Label)
	for _, b := range l.Day.Bars {
		h.put(`<rect x="{}" width="{}" height="16" class="{}"/>`, strconv.Itoa(b.X), strconv.Itoa(b.Wide), b.Tone)
	}
	h.put(`</svg><p class="ends"><span>24 hours ago</span><span>up {}</span><span>now</span></p></div><p class="meta">{}</p>`, l.Day.Share, l.Traffic)
	if len(l.Outages) == 0 {
		return
	}
	caption := "1 outage since the start"
	if l.Count > 1 {
		caption = fmt.Sprintf("%d outages since the start", l.Count)
		if l.Count > len(l.Outages) {
			caption += ", the newest"
		}
	}
	h.put(`<table><caption>{}</caption><thead><tr><th scope="col">From</th><th scope="col">For</th><th scope="col">Why</th></tr></thead><tbody>`, caption)
	for _, o := range l.Outages {
		h.put("\n"+`<tr><td>{}</td><td>{}</td><td class="free">{}</td></tr>`, o.From, o.Long, o.Cause)
	}
	h.put(`</tbody></table>`)
}

func writeQueue(h *html, v *view) {
	q := v.Queue
	h.put(`<p>{}</p><label class="gauge"><span>Store</span><progress max="100" value="{}"></progress><span>{}</span></label>`, q.Text, strconv.FormatInt(q.Percent(), 10), q.Used)
	if q.Peak > 0 && v.Status.Health.Link.Connected {
		h.put(`<label class="gauge"><span>Drain</span><progress class="drain" max="100" value="{}"></progress><span>{} of {}</span></label>`,
			strconv.FormatInt(q.Drained(), 10), count(q.Peak-q.Backlog), count(q.Peak))
	}
	h.put(`<dl><dt>Rates</dt><dd>{}</dd><dt>Delivered</dt><dd>{}</dd>`, q.Rates, q.Delivered)
	if q.Lasts != "" {
		h.put(`<dt>Room</dt><dd>{}</dd>`, q.Lasts)
	}
	h.put(`</dl>`)
}

func writeLosses(h *html, v *view) {
	if len(v.Causes) == 0 {
		h.put(`<p>No reading was lost since the start of the program.</p>`)
	} else {
		h.put(`<table><caption>Since the start of the program</caption><thead><tr><th scope="col">What</th><th scope="col" class="num">Readings</th></tr></thead><tbody>`)
		for _, c := range v.Causes {
			h.put("\n"+`<tr><th scope="row">{}<span class="meta">{}</span></th><td class="num">{}</td></tr>`, c.Name, c.Meaning, count(c.Count))
		}
		h.put(`</tbody></table>`)
	}
	if len(v.Losses) == 0 {
		return
	}
	h.put(`<table><caption>Newest ranges of the loss ledger</caption><thead><tr><th scope="col">Sensor</th><th scope="col">Why</th><th scope="col">Run and numbers</th><th scope="col" class="num">Readings</th></tr></thead><tbody>`)
	for _, l := range v.Losses {
		h.put("\n"+`<tr><th scope="row">{}</th><td>{}</td><td class="meta">{}: {} to {}</td><td class="num">{}</td></tr>`,
			cmp.Or(l.Sensor, "not known"), l.Reason, l.Run, strconv.FormatUint(l.First, 10), strconv.FormatUint(l.Last, 10), count(l.Count))
	}
	h.put(`</tbody></table>`)
}

func writeCard(h *html, v *view) {
	f := v.Status.Health.Flash
	device := "what reaches the card is not counted: the store is not on a block device of its own"
	if f.Device != nil {
		device = health.CardText(f.Device)
	}
	h.put(`<dl><dt>Store</dt><dd>{}</dd><dt>Device</dt><dd>{}</dd>`, health.FlashText(f), device)
	if f.Device != nil && f.Device.BytesPerDay > 0 && f.Device.Years == nil {
		h.put(`<dt>Life</dt><dd>not known: set buffer.endurance to what the card's maker states</dd>`)
	}
	h.put(`</dl>`)
}

func writeRemote(h *html, v *view) {
	if len(v.Commands) == 0 {
		h.put(`<p>No command with an id came yet.</p>`)
	} else {
		h.put(`<table><caption>Newest commands</caption><thead><tr><th scope="col">Came</th><th scope="col">Command</th><th scope="col">Id</th><th scope="col">State</th></tr></thead><tbody>`)
		for _, c := range v.Commands {
			h.put("\n"+`<tr><td>{}</td><th scope="row">{}</th><td class="meta">{}</td><td><span class="badge {}">{}</span> {}</td></tr>`, c.At, c.Op, c.ID, c.Tone, c.State, c.Error)
		}
		h.put(`</tbody></table>`)
	}
	s := v.Status.Shadow
	h.put(`<p>Shadow: desired version {}, reported version {}.</p>`, strconv.FormatUint(s.DesiredVersion, 10), strconv.FormatUint(s.Version, 10))
	if len(v.Status.Origins)+len(s.Rejected) > 0 {
		h.put(`<table><caption>Settings of the shadow</caption><thead><tr><th scope="col">Setting</th><th scope="col">State</th></tr></thead><tbody>`)
		for _, path := range slices.Sorted(maps.Keys(v.Status.Origins)) {
			h.put("\n"+`<tr><th scope="row" class="free">{}</th><td>in force, from {}</td></tr>`, path, v.Status.Origins[path])
		}
		for _, path := range slices.Sorted(maps.Keys(s.Rejected)) {
			h.put("\n"+`<tr><th scope="row" class="free">{}</th><td><span class="badge warn">rejected</span> {}</td></tr>`, path, s.Rejected[path])
		}
		h.put(`</tbody></table>`)
	}
	if len(v.Settings) == 0 {
		return
	}
	h.put(`<table><caption>How the line is used, and what presets set</caption><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">From</th></tr></thead><tbody>`)
	for _, k := range v.Settings {
		h.put("\n"+`<tr><th scope="row">{}</th><td>{}</td><td class="meta">{}</td></tr>`, k.Key, k.Value, k.From)
	}
	h.put(`</tbody></table>`)
}

func writeIdentity(h *html, v *view) {
	s := v.Status
	h.put(`<p>fieldgate {}`, s.Version)
	for _, what := range []string{s.Board, s.System} {
		if what != "" {
			h.put(` · {}`, what)
		}
	}
	h.put(` · run {} in store {}, start {} · {}`, s.Health.Run, cmp.Or(s.Health.Store, "none"), strconv.FormatUint(uint64(s.Health.Boot), 10), v.Zone)
	if s.Clock != "" {
		h.put(` · clock: {}`, s.Clock)
	}
	h.put(`</p>`)
}
