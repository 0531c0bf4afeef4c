package config_test

import (
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// TestNamesOfAFormat: a format whose lines have names of their own refuses fields and labels of the
// same name, and says both.
func TestNamesOfAFormat(t *testing.T) {
	c := catalogue()
	c.Formats = append(c.Formats, config.Word{Name: "lines", Doc: "…"})
	c.Names = map[string]*config.Names{"lines": {Own: []string{"seq", "run"}, Suffixes: []string{"_mean"}}}
	const head = "[gateway]\nid = \"g\"\n[mqtt]\nurls = [\"mqtt://localhost\"]\n"
	const sensor = "[[sensor]]\nname = \"s\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\nevery = \"10s\"\n"
	for _, tt := range []struct{ name, telemetry, sensor, want string }{
		{"nothing collides", "", "", ""},
		{"field", "", "[sensor.field.temperature]\nrename = \"seq\"\n", `its field "seq" collides with the "seq" of format "lines": rename the field ([sensor.field.temperature] rename)`},
		{"field that is dropped", "", "[sensor.field.temperature]\ndrop = true\n", ""},
		{"bucket", "", "[sensor.field.label]\nrename = \"temperature_mean\"\n", `its field "temperature_mean" collides with what format "lines" makes of field "temperature"`},
		{"computed", "", "[[sensor.computed]]\nfield = \"run\"\nop = \"sum\"\nof = [\"temperature\", \"temperature\"]\n", `its field "run" collides with the "run" of format "lines"`},
		{"label", "labels = true\n", "[sensor.labels]\nrun = \"x\"\n", `the label "run" collides with the "run" of format "lines"`},
		{"label of a field's name", "labels = true\n", "[sensor.labels]\ntemperature = \"x\"\n", `the label "temperature" collides with the field "temperature"`},
		{"label with a backslash", "labels = true\n", "[sensor.labels]\nsite = 'x\\'\n", `must not end with \`},
		{"label that is not sent", "", "[sensor.labels]\nrun = \"x\"\n", ""},
	} {
		for _, format := range []string{"lines", "json"} {
			text := head + "[telemetry]\nformat = \"" + format + "\"\n" + tt.telemetry + sensor + tt.sensor
			_, err := config.Parse([]config.Source{{Name: "f.toml", Text: text}}, c)
			switch want := tt.want; {
			case want == "" || format == "json":
				if err != nil {
					t.Errorf("%s, %s: %v", tt.name, format, err)
				}
			case err == nil || !strings.Contains(err.Error(), want):
				t.Errorf("%s: want %q, got %v", tt.name, want, err)
			}
		}
	}
	text := strings.Replace(head, "id = \"g\"\n", "id = \"g\"\nlabels = { seq = \"1\" }\n", 1) + "[telemetry]\nformat = \"lines\"\nlabels = true\n" + sensor + strings.Replace(sensor, `"s"`, `"t"`, 1)
	if _, err := config.Parse([]config.Source{{Name: "f.toml", Text: text}}, c); err == nil || strings.Count(err.Error(), `gateway.labels: the label "seq" collides`) != 1 {
		t.Errorf("a label of the gateway: %v", err)
	}
}
