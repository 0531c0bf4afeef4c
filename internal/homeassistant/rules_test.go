package homeassistant

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/shadow"
)

// What Home Assistant accepts: the units of each class, the first of those of SenML, and the state
// classes of those that do not take measurement.
var (
	unitsOf = map[string][]string{
		"temperature": {"°C", "°F", "K"}, "humidity": {"%"}, "battery": {"%"}, "pressure": {"Pa", "hPa", "kPa", "bar", "mbar"},
		"voltage": {"V", "mV"}, "current": {"A", "mA"}, "power": {"W", "kW"}, "apparent_power": {"VA"}, "reactive_power": {"var"},
		"energy": {"J", "MJ", "GJ", "Wh", "kWh", "MWh"}, "frequency": {"Hz", "kHz", "MHz"}, "illuminance": {"lx"}, "irradiance": {"W/m²"},
		"distance": {"m", "km", "cm", "mm"}, "speed": {"m/s", "km/h", "kn"}, "duration": {"s", "ms", "min", "h", "d"},
		"data_size": {"B", "kB", "MB", "GB", "KiB", "MiB", "GiB"}, "data_rate": {"bit/s", "B/s"}, "volume": {"L", "m³"}, "water": {"L", "m³"}, "gas": {"m³"},
		"volume_flow_rate": {"m³/h", "L/min"}, "weight": {"kg", "g"}, "signal_strength": {"dBm"}, "ph": {""},
		"carbon_dioxide": {"ppm"}, "pm1": {"\u03bcg/m³"}, "pm25": {"\u03bcg/m³"}, "pm10": {"\u03bcg/m³"},
	}
	statesOf = map[string][]string{
		"energy": {total, increasing, ""}, "volume": {total, increasing, ""}, "water": {total, increasing, ""}, "gas": {total, increasing, ""},
	}
	keysOf = map[string][]string{ // beside platform, unique_id, name and availability
		"sensor":         {"device_class", "state_class", "unit_of_measurement", "entity_category", "state_topic", "value_template", "expire_after"},
		"binary_sensor":  {"device_class", "entity_category", "state_topic", "value_template", "expire_after", "json_attributes_topic", "json_attributes_template"},
		"switch":         {"state_topic", "value_template", "command_topic", "command_template"},
		"number":         {"device_class", "unit_of_measurement", "state_topic", "value_template", "command_topic", "command_template", "min", "max", "step", "mode"},
		"button":         {"device_class", "entity_category", "command_topic", "command_template"},
		"device_tracker": {"json_attributes_topic", "json_attributes_template"},
	}
	needed = map[string][]string{
		"sensor": {"state_topic", "value_template"}, "binary_sensor": {"state_topic", "value_template"}, "switch": {"state_topic", "value_template", "command_topic", "command_template"},
		"number": {"state_topic", "command_topic", "command_template", "min", "max", "step"}, "button": {"command_topic", "command_template"}, "device_tracker": {"json_attributes_topic", "json_attributes_template"},
	}
	slug = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// hold holds a document against the rules.
func hold(t *testing.T, name string, text []byte) {
	t.Helper()
	var d struct {
		Device struct {
			Identifiers []string `json:"identifiers"`
			Name        string   `json:"name"`
		} `json:"device"`
		Origin       struct{ Name string }     `json:"origin"`
		Availability []map[string]string       `json:"availability"`
		Components   map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(d.Device.Identifiers) != 1 || !slug.MatchString(d.Device.Identifiers[0]) || d.Device.Name == "" || d.Origin.Name == "" || len(d.Availability) == 0 || len(d.Components) == 0 {
		t.Errorf("%s: %s", name, text)
	}
	for key, c := range d.Components {
		word := func(k string) string { s, _ := c[k].(string); return s }
		platform := word("platform")
		if !slug.MatchString(word("unique_id")) || word("name") == "" || keysOf[platform] == nil {
			t.Errorf("%s: %s: %v", name, key, c)
		}
		for k := range maps.Keys(c) {
			if !slices.Contains(append(slices.Clone(keysOf[platform]), "platform", "unique_id", "name", "availability"), k) {
				t.Errorf("%s: %s: a %s has no %s", name, key, platform, k)
			}
		}
		for _, k := range needed[platform] {
			if c[k] == nil {
				t.Errorf("%s: %s: a %s needs %s", name, key, platform, k)
			}
		}
		class, unit := word("device_class"), word("unit_of_measurement")
		if strings.Contains(unit, "\u00b5") {
			t.Errorf("%s: %s: %s has the older micro sign", name, key, unit)
		}
		if (platform == "sensor" || platform == "number") && class != "" && !slices.Contains(unitsOf[class], unit) {
			t.Errorf("%s: %s: class %s does not take unit %q", name, key, class, unit)
		}
		if states := statesOf[class]; platform == "sensor" && states != nil && !slices.Contains(states, word("state_class")) {
			t.Errorf("%s: %s: class %s does not take state class %q", name, key, class, word("state_class"))
		}
	}
}

// TestEveryUnitFitsItsClass: of the table, with all names that change the class.
func TestEveryUnitFitsItsClass(t *testing.T) {
	for unit := range measures {
		for _, name := range []string{"x", "co2", "pm1", "pm2_5", "pm10", "water", "gas", "count"} {
			m := measureOf(name, unit)
			if m.class != "" && !slices.Contains(unitsOf[m.class], m.unit) {
				t.Errorf("%s in %s: class %s does not take unit %q", name, unit, m.class, m.unit)
			}
			if states := statesOf[m.class]; states != nil && !slices.Contains(states, m.state) {
				t.Errorf("%s in %s: class %s does not take %s", name, unit, m.class, m.state)
			}
		}
	}
	for _, tt := range []struct {
		name, unit string
		want       measure
	}{
		{"temperature", "Cel", measure{"°C", "temperature", measurement}}, {"co2", "ppm", measure{"ppm", "carbon_dioxide", measurement}},
		{"methane", "ppm", measure{"ppm", "", measurement}}, {"pm2_5", "ug/m3", measure{"μg/m³", "pm25", measurement}}, {"pm10", "ug/m3", measure{"μg/m³", "pm10", measurement}},
		{"energy_import", "kWh", measure{"kWh", "energy", increasing}}, {"charge", "%", measure{"%", "", measurement}},
		{"gas", "m3", measure{"m³", "gas", increasing}}, {"gas_resistance", "Ohm", measure{"Ω", "", measurement}},
		{"count", "count", measure{"", "", increasing}}, {"satellites", "count", measure{"", "", measurement}},
		{"x", "furlong", measure{"furlong", "", measurement}}, {"x", "", measure{"", "", measurement}},
	} {
		if got := measureOf(tt.name, tt.unit); got != tt.want {
			t.Errorf("%s in %q: %+v, want %+v", tt.name, tt.unit, got, tt.want)
		}
	}
}

// TestEveryDriverCanBeAnnounced holds what each driver has by default against the rules.
func TestEveryDriverCanBeAnnounced(t *testing.T) {
	f := factsOf(t, "[commands]\nallow = [\"write\"]\n[[sensor]]\nname = \"a.b\"\ndriver = \"sim\"\nevery = \"10s\"\n")
	s, announced := &f.Config.Sensors[0], 0
	for _, spec := range all.Specs() {
		s.Driver, s.Spec, s.Options = spec.Name, spec, spec.Options()
		if len(spec.Fields(s.Options)) == 0 {
			continue // they are the configuration's
		}
		for topic, text := range f.Documents(shadow.Base(f.Config)) {
			hold(t, spec.Name+": "+topic, text)
			announced++
		}
	}
	if announced < 40 {
		t.Errorf("only %d documents", announced)
	}
}

// TestKindsOfEntities: what becomes of a field.
func TestKindsOfEntities(t *testing.T) {
	f := factsOf(t, allKinds)
	for topic, text := range f.Documents(shadow.Base(f.Config)) {
		hold(t, topic, text)
	}
	platforms := func(d map[string]document) map[string]string {
		got := map[string]string{}
		for name, document := range d {
			for key, c := range document.Components {
				got[name+"."+key] = c.Platform
			}
		}
		return got
	}
	got := platforms(documents(t, f))
	for key, want := range map[string]string{
		"kinds.items": "sensor", "kinds.door": "binary_sensor", "kinds.word": "sensor", "kinds._position": "device_tracker", "kinds.lat": "", "kinds.lon": "",
		"relay.state": "switch", "boiler.set_point": "number", ".restart": "button", ".flush": "button", ".connection": "binary_sensor", ".waiting": "sensor",
	} {
		if got[key] != want {
			t.Errorf("%s is a %q, want %q", key, got[key], want)
		}
	}
	// Without the rights there is nothing to press; without bounds nothing to set.
	got = platforms(documents(t, factsOf(t, strings.Replace(allKinds, `"write", "restart", "flush"`, `"ping"`, 1))))
	for key, want := range map[string]string{"relay.state": "binary_sensor", "boiler.set_point": "sensor", ".restart": "", ".flush": ""} {
		if got[key] != want {
			t.Errorf("not allowed: %s is a %q, want %q", key, got[key], want)
		}
	}
	loose := factsOf(t, strings.Replace(allKinds, "min = 5\n", "", 1))
	if got := platforms(documents(t, loose)); got["boiler.set_point"] != "sensor" {
		t.Errorf("without bounds it is a %s", got["boiler.set_point"])
	}
	if w := Warnings(loose.Config); len(w) != 1 || !strings.Contains(w[0], "set_point") {
		t.Errorf("warnings: %q", w)
	}
	if w := Warnings(f.Config); len(w) != 0 {
		t.Errorf("warnings: %q", w)
	}
	c := documents(t, f)["boiler"].Components["set_point"]
	if *c.Min != 5 || *c.Max != 90 || c.Unit != "°C" || c.UniqueID != "fieldgate_gw1_boiler-set_point" || c.StateTopic != "fieldgate/gw1/last/boiler" {
		t.Errorf("%+v", c)
	}
}

// TestUnitsAreTheConfigured: a scaled field has the unit that the configuration gives it, or none.
func TestUnitsAreTheConfigured(t *testing.T) {
	d := documents(t, factsOf(t, `
[[sensor]]
name = "air"
driver = "bme280"
bus = "/dev/i2c-1"
every = "10s"
[sensor.field.pressure]
scale = 0.01
unit = "hPa"
[sensor.field.humidity]
scale = 0.01
[sensor.field.temperature]
rename = "t"
[[sensor]]
name = "meter"
driver = "sml"
bus = "/dev/ttyS0"
every = "10s"
[sensor.field.energy_export]
delta = true
[[sensor.computed]]
field = "net"
op = "difference"
of = ["energy_import", "energy_export"]
unit = "kWh"
`))
	for key, want := range map[string]measure{
		"air.pressure": {"hPa", "pressure", measurement}, "air.humidity": {"", "", measurement}, "air.t": {"°C", "temperature", measurement},
		"meter.energy_import": {"kWh", "energy", increasing}, "meter.energy_export": {"kWh", "energy", ""}, "meter.net": {"kWh", "energy", total},
	} {
		sensor, field, _ := strings.Cut(key, ".")
		c := d[sensor].Components[field]
		if got := (measure{c.Unit, c.DeviceClass, c.StateClass}); got != want {
			t.Errorf("%s: %+v, want %+v", key, got, want)
		}
	}
}

// TestLives: for how long a value counts.
func TestLives(t *testing.T) {
	for _, tt := range []struct {
		online time.Duration
		sensor string
		want   time.Duration
	}{
		{0, `every = "1s"`, time.Minute},
		{0, `every = "1m"`, 3 * time.Minute},
		{0, "every = \"1m\"\nlinger = \"5m\"", 8 * time.Minute},
		{15 * time.Minute, `every = "1m"`, 45 * time.Minute},
		{0, "every = \"1m\"\n[sensor.field.value]\ndeadband = 1", 0},
		{0, "every = \"1m\"\n[sensor.field.value]\non_change = true\nheartbeat = \"9m\"", 30 * time.Minute},
	} {
		f := factsOf(t, "[[sensor]]\nname = \"a\"\ndriver = \"sim\"\n"+tt.sensor+"\n")
		f.Config.MQTT.Online = config.Online(tt.online)
		if got := life(f.Config, &f.Config.Sensors[0], shadow.Base(f.Config).Sensors["a"]); got != tt.want {
			t.Errorf("%v %q: %v, want %v", tt.online, tt.sensor, got, tt.want)
		}
	}
	f := factsOf(t, "[[sensor]]\nname = \"a\"\ndriver = \"sim\"\nevery = \"10s\"\n")
	in := shadow.Base(f.Config)
	s := in.Sensors["a"]
	s.Every, s.Deadband = time.Hour, nil
	if got := life(f.Config, &f.Config.Sensors[0], s); got != 3*time.Hour {
		t.Errorf("with the shadow's interval: %v", got)
	}
	s.Deadband = map[string]float64{"value": 1}
	if got := life(f.Config, &f.Config.Sensors[0], s); got != 0 {
		t.Errorf("with the shadow's deadband: %v", got)
	}
}
