package homeassistant

import (
	"encoding/json"
	"testing"
	"time"
)

const allKinds = `[commands]
allow = ["write", "restart", "flush"]
[[sensor]]
name = "kinds"
driver = "line"
bus = "/dev/ttyS0"
every = "10s"
[sensor.options]
pattern = '(?P<items>\S+) (?P<door>\S+) (?P<word>\S+) (?P<lat>\S+) (?P<lon>\S+)'
[sensor.options.fields]
items = { unit = "Cel" }
door = { type = "bool" }
word = { type = "string" }
lat = { unit = "lat" }
lon = { unit = "lon" }
[[sensor]]
name = "relay"
driver = "gpio-out"
every = "10s"
[sensor.options]
line = "GPIO17"
[[sensor]]
name = "boiler"
driver = "modbus-tcp"
bus = "127.0.0.1:502"
every = "10s"
[[sensor.options.registers]]
field = "set_point"
address = 1
type = "int16"
scale = 0.1
unit = "Cel"
writable = true
[sensor.field.set_point]
min = 5
max = 90
[[sensor]]
name = "rare"
driver = "sim"
every = "10s"
[sensor.field.value]
on_change = true
[[sensor]]
name = "direct"
driver = "sim"
every = "10s"
last = false
`

// TestTemplatesGiveTheValues renders what is announced with messages as the gateway sends them.
func TestTemplatesGiveTheValues(t *testing.T) {
	d := documents(t, factsOf(t, allKinds))
	const all = `{"items":21.5,"door":true,"word":"on","lat":48.1,"lon":-11.5,"state":false,"set_point":61.5,"value":7}`
	const bad = `{"items":null,"door":null,"word":null,"lat":null,"lon":null,"state":null,"set_point":null,"value":null}`
	const ts = `"2026-11-20T12:00:00.000Z"`
	soon, late := noon.Add(59*time.Second), noon.Add(61*time.Second)
	states := []struct {
		sensor, field string
		ts            string
		now           time.Time
		fields        []string
		want          string
	}{
		{"kinds", "items", ts, soon, []string{all}, "21.5"}, // a name that is a method of Jinja's dictionaries
		{"kinds", "items", ts, late, []string{all}, "None"}, // retained since yesterday
		{"kinds", "items", ts, soon, []string{bad}, "None"},
		{"kinds", "items", ts, soon, []string{`{"door":true}`}, "None"}, // from before the field was there
		{"kinds", "items", `null`, soon, []string{all}, "None"},         // nobody knows how old it is
		{"kinds", "items", ts, noon.Add(-time.Second), []string{all}, "21.5"},
		{"kinds", "door", ts, soon, []string{all}, "ON"},
		{"kinds", "door", ts, late, []string{all}, "None"},
		{"kinds", "door", ts, soon, []string{bad}, "None"},
		{"kinds", "word", ts, soon, []string{all}, "on"},
		{"kinds", "word", ts, soon, []string{bad}, "None"},
		{"relay", "state", ts, soon, []string{all}, "OFF"},
		{"relay", "state", ts, late, []string{all}, "None"},
		{"boiler", "set_point", ts, soon, []string{all}, "61.5"},
		{"rare", "value", ts, noon.Add(24 * time.Hour), []string{all}, "7"}, // nothing has changed for a day
		{"rare", "value", `null`, soon, []string{all}, "7"},
		{"direct", "value", ts, soon, []string{`{"value":1}`, `{"value":2}`}, "2"}, // the newest of a batch
		{"direct", "value", ts, late, []string{`{"value":1}`, `{"value":2}`}, "None"},
	}
	var list []rendering
	for _, s := range states {
		list = append(list, rendering{Template: d[s.sensor].Components[s.field].ValueTemplate, Message: message(t, s.ts, s.fields...), Now: float64(s.now.Unix())})
	}
	for i, got := range render(t, list) {
		if s := states[i]; got != s.want {
			t.Errorf("%s.%s with %s %s at %v: %q, want %q: %s", s.sensor, s.field, s.ts, s.fields, s.now, got, s.want, list[i].Template)
		}
	}

	tracker := d["kinds"].Components["_position"].AttributesTemplate
	for i, got := range render(t, []rendering{
		{Template: tracker, Message: message(t, ts, all), Now: float64(soon.Unix())},
		{Template: tracker, Message: message(t, ts, all), Now: float64(late.Unix())},
		{Template: tracker, Message: message(t, ts, bad), Now: float64(soon.Unix())},
		{Template: tracker, Message: message(t, `null`, all), Now: float64(soon.Unix())},
	}) {
		want := `{"latitude": null, "longitude": null}`
		if i == 0 {
			want = `{"latitude": 48.1, "longitude": -11.5}`
		}
		if got != want {
			t.Errorf("position %d: %s, want %s", i, got, want)
		}
	}
}

// TestCommandsHaveFreshIDs renders what Home Assistant publishes on P/cmd.
func TestCommandsHaveFreshIDs(t *testing.T) {
	d := documents(t, factsOf(t, allKinds))
	commands := []struct {
		c     component
		value any
		topic string
		args  string
	}{
		{d["relay"].Components["state"], "ON", "fieldgate/gw1/cmd/write", `{"sensor":"relay","fields":{"state":true}}`},
		{d["relay"].Components["state"], "OFF", "fieldgate/gw1/cmd/write", `{"sensor":"relay","fields":{"state":false}}`},
		{d["boiler"].Components["set_point"], 61.5, "fieldgate/gw1/cmd/write", `{"sensor":"boiler","fields":{"set_point":61.5}}`},
		{d[""].Components["restart"], "PRESS", "fieldgate/gw1/cmd/restart", ``},
		{d[""].Components["flush"], "PRESS", "fieldgate/gw1/cmd/flush", ``},
	}
	var list []rendering
	for i, c := range commands {
		if c.c.CommandTopic != c.topic {
			t.Errorf("command topic %q, want %q", c.c.CommandTopic, c.topic)
		}
		list = append(list, rendering{Template: c.c.CommandTemplate, Value: c.value, Now: float64(noon.Unix()) + float64(i)/1e3})
	}
	ids := map[string]bool{}
	for i, got := range render(t, list) {
		var c struct {
			ID   string          `json:"id"`
			Args json.RawMessage `json:"args"`
		}
		if err := json.Unmarshal([]byte(got), &c); err != nil || string(c.Args) != commands[i].args || c.ID == "" || ids[c.ID] {
			t.Errorf("%s: %v, want %s and an id of its own", got, err, commands[i].args)
		}
		ids[c.ID] = true
	}
}

// TestAvailabilityFollowsStatusAndHealth renders when entities are there.
func TestAvailabilityFollowsStatusAndHealth(t *testing.T) {
	d := documents(t, factsOf(t, allKinds))
	message := func(text string) (v any) {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	health := func(state string) any {
		return message(`{"sensors":{"kinds":{"state":"` + state + `"},"rare":{"state":"` + state + `"}}}`)
	}
	type given struct {
		a       availability
		message any
		want    string
	}
	var all []given
	for state, want := range map[string]string{"online": "online", "sleeping": "online", "offline": "offline", "lost": "offline"} {
		all = append(all, given{d["kinds"].Availability[0], message(`{"state":"` + state + `"}`), want}, given{d[""].Components["connection"].Availability[0], message(`{"state":"` + state + `"}`), "online"})
	}
	for state, want := range map[string]string{"ok": "online", "starting": "online", "bad": "online", "frozen": "online", "failing": "online", "missing": "offline", "stale": "offline", "disabled": "offline"} {
		all = append(all, given{d["kinds"].Availability[1], health(state), want})
		if state == "failing" { // its last value would look fresh for ever
			want = "offline"
		}
		all = append(all, given{d["rare"].Availability[1], health(state), want})
	}
	all = append(all, given{d["kinds"].Availability[1], message(`{"sensors":{}}`), "offline"})
	var list []rendering
	for _, g := range all {
		list = append(list, rendering{Template: g.a.ValueTemplate, Message: g.message})
	}
	for i, got := range render(t, list) {
		if g := all[i]; got != g.want {
			t.Errorf("%s with %v: %s, want %s", g.a.ValueTemplate, g.message, got, g.want)
		}
	}
}
