package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// unprovoked are the documents that no gateway process sends within seconds on a healthy machine: a
// full store, a clock that becomes synchronised, a broker that refuses. Theirs are made from Go
// structs only.
var unprovoked = []string{"event-loss", "event-clock", "event-alarm"}

// schemaFor returns the name of the schema of what is published on a topic of the gateway "gw"; ""
// if there is none.
func schemaFor(topic string, flat bool) string {
	levels := strings.Split(strings.TrimPrefix(topic, "fieldgate/gw/"), "/")
	switch first, n := levels[0], len(levels); {
	case n == 1 && (first == "status" || first == "health"):
		return first
	case n == 2 && first == "telemetry", n == 3 && first == "telemetry" && (levels[2] == "late" || levels[2] == "undated"):
		if flat {
			return "telemetry-flat"
		}
		return "telemetry"
	case n == 2 && first == "last":
		return "last"
	case n == 2 && first == "sensors":
		return "sensor"
	case n == 2 && first == "shadow":
		return "shadow-" + levels[1]
	case n == 2 && first == "events":
		return "event-" + levels[1]
	case n == 2 && first == "cmd":
		return "command"
	case n == 2 && first == "reply":
		return "reply"
	}
	return ""
}

const schemaSensors = waveSensor + `
[[sensor]]
name = "board"
driver = "host"
every = "500ms"
[sensor.field.load_1m]
max = -1
[[sensor]]
name = "gone"
driver = "bme280"
bus = "/dev/i2c-77"
every = "1s"
[[sensor]]
name = "broken"
driver = "sim"
every = "1s"
[sensor.options]
fail_every = 1
[[sensor]]
name = "idle"
driver = "sim"
every = "1s"
enabled = false
`

// TestEveryDocumentMatchesItsSchema runs a gateway through what makes it speak and holds all that
// was published below fieldgate/# against docs/schema.
func TestEveryDocumentMatchesItsSchema(t *testing.T) {
	m := newMosquitto(t)
	c := collect(t, m.url())
	g := newGateway(t, m.url(), schemaSensors)
	also := func(text string) {
		if err := os.MkdirAll(g.path("conf.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(g.path("conf.d/also.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(topic, text string, more ...string) {
		m.client("mosquitto_pub", append([]string{"-q", "1", "-t", "fieldgate/gw/" + topic, "-m", text}, more...)...)
	}
	compiled, seen := schemas(t), map[string][]byte{}
	check := func(flat bool) {
		t.Helper()
		for _, line := range c.take() {
			topic, text, _ := strings.Cut(line, " ")
			if text == "" || strings.HasPrefix(topic, "fieldgate/gw/cmd/") && strings.Contains(text, "malformed") {
				continue // a topic that was cleared; what the test itself sent wrong
			}
			name := schemaFor(topic, flat)
			if compiled[name] == nil {
				t.Errorf("%s has no schema: %s", topic, text)
				continue
			}
			seen[name] = []byte(text)
			if err := validate(compiled[name], []byte(text)); err != nil {
				t.Errorf("%s: %v\n%s", topic, err, text)
			}
		}
	}

	// Sensors good and bad, commands that are answered in every way, a shadow that is refused in
	// part.
	also("[gateway]\nhealth_every = \"1s\"\nlabels = { site = \"north\" }\n[telemetry]\nlabels = true\n")
	g.running()
	c.until(t, "status", `"online"`)
	c.until(t, "sensors/wave", `"labels":{"site":"north"}`)
	c.until(t, "telemetry/wave", `"labels":{"site":"north"}`)
	c.until(t, "telemetry/board", `"bad":{`)
	c.until(t, "events/sensor", `"gone","state":"missing"`)
	c.until(t, "events/sensor", `"broken","state":"failing"`)
	c.until(t, "last/wave", "")
	publish("cmd/ping", `{"id":"p1"}`)
	c.until(t, "reply/ping", `"id":"p1"`)
	publish("cmd/ping", `{"malformed":true}`)
	c.until(t, "reply/ping", `"code":"malformed"`)
	publish("cmd/diag", `{}`)
	c.until(t, "reply/diag", `"succeeded"`)
	publish("cmd/read", `{"id":"r1","args":{"sensor":"board"}}`)
	c.until(t, "reply/read", `"succeeded"`)
	publish("cmd/read", `{"id":"r2","args":{"sensor":"gone"}}`)
	c.until(t, "reply/read", `"failed"`)
	publish("cmd/exec", `{"id":"e1"}`)
	c.until(t, "reply/exec", `"code":"unknown"`)
	publish("cmd/flush", `{"id":"f1"}`)
	c.until(t, "reply/flush", `"succeeded"`)
	publish("shadow/desired", `{"version":1,"state":{"sensors":{"wave":{"every":"250ms","deadband":{"value":0.01}},"broken":{"every":"1us"}},"gateway":{"log_level":"debug"}}}`, "-r")
	c.until(t, "shadow/reported", `"sensors.broken.every":`)
	m.client("mosquitto_pub", "-q", "1", "-r", "-n", "-t", "fieldgate/gw/shadow/desired")
	c.until(t, "shadow/reported", `"desired_version":0,`)

	// An outage, in which the gateway ends too: what it had taken comes late, in its next boot.
	m.stop()
	before, err := g.ask()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "readings wait", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Queue.Appended > before.Health.Queue.Appended+5
	})
	g.stop()
	m.start()
	c.connected(t)
	g.running()
	c.until(t, "telemetry/wave/late", `"readings":[`)
	c.until(t, "events/boot", `"end":"clean"`)

	// A wrong configuration; a kill.
	g.stop()
	c.until(t, "status", `"offline"`)
	g.configure(m.url(), waveSensor+"every = 1\n")
	g.running()
	c.until(t, "events/config", `"last-good"`)
	c.until(t, "health", `"reasons":["the configuration is wrong`)
	g.online()
	g.kill()
	c.until(t, "status", `"lost"`)
	check(false)

	// The other format, after an upgrade that failed, without a clock if this machine's is not
	// synchronised.
	g.configure(m.url(), schemaSensors+"[telemetry]\nformat = \"json-flat\"\n")
	g.env = append(g.env, "FIELDGATE_TAKEN_BACK=it did not start")
	also("[gateway]\ntrust_clock = false\nwait_for_clock = \"0s\"\nlabels = { site = \"north\" }\n[telemetry]\nlabels = true\n")
	g.running()
	c.until(t, "events/boot", `"end":"unclean"`)
	c.until(t, "events/update", `"taken-back"`)
	c.until(t, "telemetry/wave", `"labels":{"site":"north"}`)
	c.until(t, "telemetry/board", `"bad":{`)
	c.until(t, "last/wave", `"value":`)
	g.stop()
	c.until(t, "status", `"offline"`)
	check(true)

	for name := range compiled {
		if seen[name] == nil && !slices.Contains(unprovoked, name) {
			t.Errorf("no message was held against the schema %q", name)
		}
	}
	for name, text := range seen {
		if name != "shadow-desired" { // the cloud's: the gateway passes over what it does not know
			wantStrict(t, name, compiled[name], text)
		}
	}
}
