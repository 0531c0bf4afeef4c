package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
	"github.com/fieldgate/fieldgate/internal/shadow"
)

// retained returns the retained messages below a filter, by topic.
func (m *mosquitto) retained(filter string) map[string]string {
	m.t.Helper()
	out, err := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-t", filter, "-q", "1", "--retained-only", "-W", "1", "-F", "%t %p").Output()
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 27) { // 27: it has waited
		m.t.Errorf("mosquitto_sub: %v", err)
	}
	messages := map[string]string{}
	for line := range strings.Lines(string(out)) {
		topic, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		messages[topic] = payload
	}
	return messages
}

// announcements returns what the gateway's configuration is to announce.
func (g *gatewayRig) announcements() map[string]string {
	g.t.Helper()
	c, err := config.Load(g.path("fieldgate.toml"), catalogue())
	if err != nil {
		g.t.Fatal(err)
	}
	want := map[string]string{}
	if c.HomeAssistant.Discovery {
		f := homeassistant.Facts{Config: c, Topics: contract.NewTopics(c.Gateway.TopicPrefix, c.Gateway.ID), Version: version, Model: board.Here().Model}
		for topic, text := range f.Documents(shadow.Base(c)) {
			want[topic] = string(text)
		}
	}
	return want
}

// announced waits until the broker keeps exactly what the configuration is to announce.
func (g *gatewayRig) announced(m *mosquitto, devices int) {
	g.t.Helper()
	want := g.announcements()
	if len(want) != devices {
		g.t.Errorf("%d devices are to be announced, want %d", len(want), devices)
	}
	var got map[string]string
	for deadline := time.Now().Add(15 * time.Second); ; {
		got = m.retained("#")
		_, whole := got["fieldgate/gw/status"]
		maps.DeleteFunc(got, func(topic, _ string) bool { return !strings.HasSuffix(topic, "/config") })
		if whole && maps.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for topic := range want {
		if got[topic] != want[topic] {
			g.t.Errorf("%s: %s, want %s", topic, got[topic], want[topic])
		}
	}
	for topic := range got {
		if want[topic] == "" {
			g.t.Errorf("%s is still announced", topic)
		}
	}
}

// thirtySensors are of twelve drivers; most of their devices are not there.
func thirtySensors() (list []string) {
	add := func(n int, driver, bus, more string) {
		for i := range n {
			text := fmt.Sprintf("[[sensor]]\nname = \"%s-%d\"\ndriver = %q\nevery = \"1s\"\n", driver, i, driver)
			if bus != "" {
				text += fmt.Sprintf("bus = %q\n", fmt.Sprintf(bus, 70+i))
			}
			list = append(list, text+more)
		}
	}
	add(3, "bme280", "/dev/i2c-%d", "[sensor.field.pressure]\nscale = 0.01\nunit = \"hPa\"\n")
	add(3, "sht4x", "/dev/i2c-%d", "")
	add(3, "bh1750", "/dev/i2c-%d", "")
	add(3, "ina219", "/dev/i2c-%d", "")
	add(3, "scd4x", "/dev/i2c-%d", "")
	add(2, "pms5003", "/dev/ttyUSB%d", "")
	add(2, "nmea", "/dev/ttyACM%d", "")
	add(2, "sml", "/dev/ttyS%d", "")
	add(2, "modbus-tcp", "127.0.0.1:%d", "[[sensor.options.registers]]\nfield = \"relay\"\ntable = \"coil\"\ntype = \"bool\"\nwritable = true\n")
	add(2, "line", "/dev/ttyAMA%d", "[sensor.options]\npattern = '^(?P<t>\\S+)'\n[sensor.options.fields]\nt = { unit = \"Cel\" }\n")
	add(1, "host", "", "")
	add(4, "sim", "", "[sensor.field.value]\non_change = true\nheartbeat = \"1m\"\n")
	return list
}

// TestHomeAssistantSeesThirtySensors announces thirty sensors of twelve drivers, one that is
// removed and one that is renamed, under another prefix, and no more: the broker keeps exactly what
// there is. After a start of Home Assistant everything is announced again.
func TestHomeAssistantSeesThirtySensors(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	sensors := thirtySensors()
	drivers := map[string]bool{}
	for _, s := range sensors {
		drivers[regexp.MustCompile(`driver = "(.*)"`).FindStringSubmatch(s)[1]] = true
	}
	if len(sensors) != 30 || len(drivers) != 12 {
		t.Fatalf("%d sensors of %d drivers", len(sensors), len(drivers))
	}
	configure := func(homeassistant string) string {
		return "[commands]\nallow = [\"write\", \"restart\", \"flush\"]\n[homeassistant]\n" + homeassistant + "\n" + strings.Join(sensors, "")
	}
	g := newGateway(t, m.url(), configure("discovery = true"))
	g.running()
	g.online()
	g.announced(m, 31)

	s := subscribe(t, m, "homeassistant/device/#")
	const topic = "homeassistant/device/fieldgate_gw_host-0/config"
	eventually(t, 5*time.Second, "the subscriber has what is retained", func() bool { return s.count(topic, "") == 1 })
	m.client("mosquitto_pub", "-q", "1", "-t", "homeassistant/status", "-m", "online")
	eventually(t, 15*time.Second, "all is announced again", func() bool {
		for topic := range g.announcements() {
			if s.count(topic, "") != 2 {
				return false
			}
		}
		return true
	})

	again := func(homeassistant string, devices int) {
		t.Helper()
		if code := g.stop(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
		g.configure(m.url(), configure(homeassistant))
		g.running()
		g.announced(m, devices)
	}
	sensors = slices.Delete(sensors, 0, 1)
	sensors[0] = strings.Replace(sensors[0], "bme280-1", "roof.air", 1)
	again("discovery = true", 30)
	again("discovery = true\nprefix = \"ha/two\"", 30)
	again("discovery = false", 0)
}

// TestHomeAssistantSwitchesARelay presses what was announced, with the templates filled in as Home
// Assistant does.
func TestHomeAssistantSwitchesARelay(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	unit := modbustest.NewUnit().Holding(0, 200).Coils(0, false)
	g := newGateway(t, m.url(), fmt.Sprintf(`[commands]
allow = ["write", "flush"]
[homeassistant]
discovery = true
[[sensor]]
name = "boiler"
driver = "modbus-tcp"
bus = %q
every = "100ms"
[[sensor.options.registers]]
field = "set_point"
type = "int16"
scale = 0.1
writable = true
[[sensor.options.registers]]
field = "pump"
table = "coil"
type = "bool"
writable = true
[sensor.field.set_point]
min = 5
max = 90
`, serveModbus(t, unit)))
	g.running()
	g.online()
	g.announced(m, 2)
	type entity struct {
		Command  string `json:"command_topic"`
		Template string `json:"command_template"`
	}
	press := func(device, key, value string) contract.Reply {
		t.Helper()
		var d struct{ Components map[string]entity }
		if err := json.Unmarshal([]byte(g.announcements()["homeassistant/device/"+device+"/config"]), &d); err != nil {
			t.Fatal(err)
		}
		c := d.Components[key]
		payload := strings.Replace(c.Template, "{{ now().timestamp() }}", fmt.Sprint(time.Now().UnixNano()), 1)
		payload = regexp.MustCompile(`{{.*?}}`).ReplaceAllLiteralString(payload, value)
		text := m.client("mosquitto_rr", "-t", c.Command, "-e", "my/answers", "-m", payload, "-W", "5", "-F", "%p")
		var r contract.Reply
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%s: %q", payload, text)
		}
		return r
	}
	for _, on := range []bool{true, false, true} { // each with an id of its own, or it would not run again
		if r := press("fieldgate_gw_boiler", "pump", fmt.Sprint(on)); r.State != contract.Succeeded || !strings.Contains(string(r.Result), fmt.Sprintf(`"pump":%v`, on)) {
			t.Errorf("pump %v: %+v %s", on, r, r.Result)
		}
	}
	if r := press("fieldgate_gw_boiler", "set_point", "61.5"); r.State != contract.Succeeded || unit.HoldingAt(0) != 615 {
		t.Errorf("set point: %+v, register %d", r, unit.HoldingAt(0))
	}
	if r := press("fieldgate_gw", "flush", ""); r.State != contract.Succeeded {
		t.Errorf("flush: %+v", r)
	}
}

// TestHomeAssistantBehindABridge: the recipe of docs/consumers.md carries announcements, readings,
// commands and the birth of Home Assistant between two brokers, and clears what is gone.
func TestHomeAssistantBehindABridge(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(docs, "consumers.md"))
	if err != nil {
		t.Fatal(err)
	}
	recipe := regexp.MustCompile(`(?m)(?:^    .*\n)*^    connection fieldgate\n(?:^    .*\n)*`).FindString(string(text))
	near := newMosquitto(t)
	far := newMosquitto(t, "allow_anonymous true", strings.Replace(strings.ReplaceAll(recipe, "    ", ""), "gateway-broker.example.com:1883", "127.0.0.1:"+near.port, 1))
	const discovery = "[homeassistant]\ndiscovery = true\n"
	g := newGateway(t, near.url(), discovery+waveSensor+strings.ReplaceAll(waveSensor, "wave", "tide"))
	g.running()
	g.online()
	g.announced(far, 3)
	s := subscribe(t, far, "#")
	for _, topic := range []string{"fieldgate/gw/last/wave", "fieldgate/gw/status", "fieldgate/gw/health"} {
		eventually(t, 10*time.Second, topic+" is there", func() bool { return s.newest(topic) != "" })
	}
	replies := subscribe(t, near, "fieldgate/gw/reply/flush")
	far.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/flush", "-m", `{"id":"ha-1"}`)
	eventually(t, 10*time.Second, "the command has run", func() bool {
		return strings.Contains(replies.newest("fieldgate/gw/reply/flush"), contract.Succeeded)
	})
	const topic = "homeassistant/device/fieldgate_gw_wave/config"
	before := s.count(topic, "")
	far.client("mosquitto_pub", "-q", "1", "-t", "homeassistant/status", "-m", "online")
	eventually(t, 15*time.Second, "all is announced again", func() bool { return s.count(topic, "") > before })
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	eventually(t, 10*time.Second, "the gateway is offline", func() bool { return strings.Contains(s.newest("fieldgate/gw/status"), contract.Offline) })
	g.configure(near.url(), discovery+waveSensor)
	g.running()
	g.announced(far, 2)
}

// TestHomeAssistantNeedsTheseRights: with the access list of docs/clouds.md all is announced;
// without its second part status names the topics, once for all sensors, and nothing else suffers.
func TestHomeAssistantNeedsTheseRights(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(docs, "clouds.md"))
	if err != nil {
		t.Fatal(err)
	}
	lists := regexp.MustCompile(`(?m)(?:^    pattern .*\n)+`).FindAllString(string(text), -1)
	if len(lists) != 2 {
		t.Fatalf("%d access lists", len(lists))
	}
	acl := filepath.Join(t.TempDir(), "acl")
	permit := func(lists ...string) {
		t.Helper()
		// what comes before any user is for clients without a name: those of the test
		if err := os.WriteFile(acl, []byte("topic readwrite #\n"+strings.ReplaceAll(strings.Join(lists, ""), "    ", "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	permit(lists[0])
	m := newMosquitto(t, "allow_anonymous true", "acl_file "+acl)
	g := newGateway(t, m.url(), "[homeassistant]\ndiscovery = true\n"+waveSensor+strings.ReplaceAll(waveSensor, "wave", "tide"))
	g.mqtt(`username = "gw"`)
	g.running()
	g.online()
	const refused = "homeassistant/device/+/config"
	eventually(t, 10*time.Second, "status names the topics", func() bool {
		s, err := g.ask()
		return err == nil && strings.Contains(strings.Join(s.Health.Reasons, "\n"), refused)
	})
	if s, err := g.ask(); err != nil || len(s.Health.Reasons) > 2 || !s.Health.Link.Connected {
		t.Errorf("%v: %q", err, s.Health.Reasons)
	}
	eventually(t, 10*time.Second, "other documents arrive", func() bool { return len(m.retained("fieldgate/gw/last/+")) == 2 })
	permit(lists...)
	if err := m.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	g.announced(m, 3)
	eventually(t, 30*time.Second, "nothing is refused", func() bool { s, err := g.ask(); return err == nil && s.Health.State == "ok" })
	const gateway = "homeassistant/device/fieldgate_gw/config"
	s := subscribe(t, m, gateway)
	eventually(t, 5*time.Second, "the subscriber has what is retained", func() bool { return s.count(gateway, "") == 1 })
	m.client("mosquitto_pub", "-q", "1", "-t", "homeassistant/status", "-m", "online")
	eventually(t, 15*time.Second, "a start of Home Assistant is seen", func() bool { return s.count(gateway, "") == 2 })
}
