package modbus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus"
)

const meters = `
[gateway]
id = "gw"
[mqtt]
urls = ["mqtt://localhost"]

[[sensor]]
name = "power-meter"
driver = "modbus-rtu"
bus = "usb:0403:6001"
every = "5s"
[sensor.options]
unit_id = 7
baud = 19200
parity = "even"
timeout = "200ms"
registers = [
  { field = "voltage", address = 0, type = "float32", unit = "V" },
  { field = "energy", table = "input", address = 72, type = "uint32", scale = 3600000, unit = "J" },
]
[sensor.field.voltage]
deadband = 0.5

[[sensor]]
name = "heat-pump"
driver = "modbus-tcp"
bus = "192.168.1.20:502"
every = "10s"
[[sensor.options.registers]]
field = "set_point"
address = 100
type = "int16"
scale = 0.1
writable = true
`

// A register map is written as it is in the documentation, and a mistake in it is reported where it
// stands.
func TestConfiguration(t *testing.T) {
	c, err := load(t, meters)
	if err != nil {
		t.Fatal(err)
	}
	o := c.Sensors[0].Options.(*modbus.RTU)
	if len(o.Registers) != 2 || o.Registers[1].Scale != 3600000 || o.UnitID != 7 || o.StopBits != 1 {
		t.Errorf("got %+v", o)
	}
	if f := modbus.SpecTCP.Fields(c.Sensors[1].Options); len(f) != 1 || f[0] != (drivers.Field{Name: "set_point", Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: "holding register 100, int16", Writable: true}) {
		t.Errorf("got %+v", f)
	}
	for _, test := range []struct{ from, to, want string }{
		{"address = 72", "adress = 72", `unknown key "adress"`},
		{`address = 0, type = "float32"`, `address = 0, type = "float"`, "18:44: "},
		{`table = "input", address = 72`, "address = 1", "energy (holding registers 1 to 2, uint32) overlaps voltage (holding registers 0 to 1, float32) in part: one address or type is wrong"},
		{"usb:0403:6001", "ttyUSB0", "must be a device file"},
		{"192.168.1.20:502", "/dev/ttyUSB0", "must be a host and a port"},
		{"[sensor.field.voltage]", "[sensor.field.volts]", `sensor "power-meter" has no field "volts"`},
	} {
		if _, err := load(t, strings.Replace(meters, test.from, test.to, 1)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want %q, got %v", test.to, test.want, err)
		}
	}
}

const line = `
[gateway]
id = "gw"
[mqtt]
urls = ["mqtt://localhost"]
[[sensor]]
name = "a"
driver = "modbus-rtu"
bus = "/dev/ttyUSB0"
every = "5s"
[sensor.options]
unit_id = 1
registers = [{ field = "x" }]
[[sensor]]
name = "b"
driver = "modbus-rtu"
bus = "/dev/ttyUSB0"
every = "5s"
[sensor.options]
unit_id = 1
any_unit = true
registers = [{ field = "x" }]
[[sensor]]
name = "c"
driver = "modbus-rtu"
bus = "/dev/ttyUSB0"
every = "5s"
[sensor.options]
unit_id = 248
registers = [{ field = "x" }]
`

// TestLine: a device that answers with any unit id is the only one on its line, also if it is
// neither the first nor the last; a reserved unit id is a warning.
func TestLine(t *testing.T) {
	_, err := load(t, line)
	if want := `any_unit = true a device must be the only one on its line`; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `sensor "b"`) {
		t.Errorf("want %q, got %v", want, err)
	}
	c, err := load(t, strings.Replace(line, "any_unit = true", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.Warnings(), "\n"), `sensor "c": unit_id = 248 is reserved`; !strings.Contains(got, want) {
		t.Errorf("want %q, got %q", want, got)
	}
	if _, err := load(t, strings.Replace(line, "unit_id = 248", "unit_id = 1", 1)); err != nil {
		t.Errorf("one unit with three sensors: %v", err)
	}
}

// load reads a configuration with the drivers of this package.
func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fieldgate.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(file, config.Catalogue{Drivers: []drivers.Spec{modbus.SpecRTU, modbus.SpecTCP}, Formats: config.Words{{Name: "json"}}})
}

const profiled = `
[mqtt]
urls = ["mqtt://localhost"]
[template.meter]
driver = "modbus-rtu"
bus = "/dev/ttyS0"
every = "10s"
options = { profile = "eastron-sdm120", baud = 9600 }
[[sensor]]
name = "a"
template = "meter"
options = { unit_id = 2 }
[[sensor]]
name = "b"
template = "meter"
options = { unit_id = 3, fields = ["power"] }
[sensor.field.power]
min = 0
[[sensor]]
name = "c"
driver = "modbus-tcp"
bus = "host:502"
every = "10s"
options = { profile = "eastron-sdm630", registers = [{ field = "x", address = 1 }] }
`

// TestProfiles: of the same option, that of the template replaces the profile's, and the sensor's
// own the template's.
func TestProfilesInTheConfiguration(t *testing.T) {
	load := func(text string) (*config.Config, error) {
		return config.Parse([]config.Source{{Name: "f.toml", Text: text}},
			config.Catalogue{Drivers: []drivers.Spec{modbus.SpecRTU, modbus.SpecTCP}, Formats: config.Words{{Name: "json"}}})
	}
	c, err := load(profiled)
	if err != nil {
		t.Fatal(err)
	}
	a, b, tcp := c.Sensors[0].Options.(*modbus.RTU), c.Sensors[1].Options.(*modbus.RTU), c.Sensors[2].Options.(*modbus.TCP)
	if a.Baud != 9600 || a.UnitID != 2 || len(a.Registers) != 13 || a.Parity != "none" {
		t.Errorf("got %+v", a)
	}
	if f := modbus.SpecRTU.Fields(b); len(f) != 1 || f[0].Name != "power" || f[0].Unit != "W" {
		t.Errorf("got %+v", f)
	}
	if len(tcp.Registers) != 1 {
		t.Errorf("got %+v", tcp.Registers)
	}
	for _, test := range []struct{ from, to, want string }{
		{"eastron-sdm120", "eastron-sdm12", `f.toml:8:23: sensor "a".options.profile: there is no profile "eastron-sdm12" (did you mean "eastron-sdm120"?)`},
		{"eastron-sdm120", "SDM72", `there is no profile "SDM72" (did you mean "eastron-sdm72"?)`},
		{`"eastron-sdm630"`, "7", `f.toml:24:23: sensor "c".options.profile must be a string, not 7`},
		{`["power"]`, `["powr"]`, `"powr" is none of the registers' fields: voltage, current`},
		{"field.power", "field.voltage", `sensor "b" has no field "voltage"`},
		{`unit_id = 3,`, `unit_id = 3, connect_delay = "2s",`, `connect_delay is 0s for sensor "a" (f.toml:10) and 2s here: all sensors of a connection must have the same`},
	} {
		if _, err := load(strings.Replace(profiled, test.from, test.to, 1)); err == nil || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "^") != 1 {
			t.Errorf("%s: want %q, got %v", test.to, test.want, err)
		}
	}
}
