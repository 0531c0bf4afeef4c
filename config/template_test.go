package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const fromTemplate = minimal + `
[template.hall]
driver = "bme280"
bus = "/dev/i2c-1"
every = "10s"
timeout = "2s"
[template.hall.options]
address = 0x77
[template.hall.field.temperature]
scale = 2.0
min = 0
[template.unused]
priority = "low"
`

// TestTemplate: a sensor's own keys go before those of its template, tables merge key by key, and a
// sensor changes nothing for the next one.
func TestTemplate(t *testing.T) {
	c, err := parse(fromTemplate + `
[[sensor]]
name = "a"
template = "hall"
every = "1m"
[sensor.field.temperature]
scale = 3.0
[sensor.field.label]
on_change = true
[[sensor]]
name = "b"
template = "hall"
bus = "/dev/i2c-3"
`)
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Sensors[0], c.Sensors[1]
	if a.Every != time.Minute || a.Timeout != 2*time.Second || a.Bus != "/dev/i2c-1" || *a.Fields["temperature"].Scale != 3 || *a.Fields["temperature"].Min != 0 || !a.Fields["label"].OnChange {
		t.Errorf("a: %+v", a)
	}
	if b.Every != 10*time.Second || b.Bus != "/dev/i2c-3" || *b.Fields["temperature"].Scale != 2 || len(b.Fields) != 1 {
		t.Errorf("b: %+v", b)
	}
	c, err = parse("[gateway]\nlabels = { site = \"north\", floor = \"1\" }\n" + minimal + "[template.t]\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\nevery = \"1s\"\nlabels.floor = \"2\"\n[[sensor]]\nname = \"c\"\ntemplate = \"t\"\nlabels.room = \"hall\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Sensors[0].Labels); got != "map[floor:2 room:hall site:north]" {
		t.Errorf("labels: %s", got)
	}
	if o := fmt.Sprintf("%+v", b.Options); !strings.Contains(o, "119") {
		t.Errorf("options of b: %s", o)
	}
}

// TestTemplateMistakes: each mistake points to its place in the template and names that of the
// sensor; once for all sensors.
func TestTemplateMistakes(t *testing.T) {
	sensor := func(name, template string) string {
		return fmt.Sprintf("[[sensor]]\nname = %q\ntemplate = %s\n", name, template)
	}
	for _, tt := range []struct{ name, text, where, says string }{
		{"missing", fromTemplate + sensor("a", `"hal"`), "18:12", `there is no template "hal" (did you mean "hall"?)`},
		{"none at all", minimal + sensor("a", `"hall"`), "5:12", `write [template.hall] with what its sensors have in common`},
		{"no text", fromTemplate + sensor("a", `5`), "18:12", "must be a string, not 5"},
		{"of itself", minimal + "[template.x]\ntemplate = \"x\"\n", "4:1", "template.x cannot take another template"},
		{"no table", minimal + "[template]\nx = 5\n", "4:5", "template.x must be a table, not 5"},
		{"a list of templates", minimal + "[[template]]\ndriver = \"sim\"\n", "3:3", "write [template.NAME]"},
		{"a key that nobody knows", minimal + "[template.x]\nevry = \"1s\"\n", "4:1", `unknown key "evry" in template.x (did you mean "every"?)`},
		{"a value of two sensors", strings.Replace(fromTemplate, `"2s"`, `"2 s"`, 1) + sensor("a", `"hall"`) + sensor("b", `"hall"`), "8:11",
			`sensor "a".timeout: "2 s" is not a duration: write a number and ms, s, m or h, such as "10s" or "1h30m" (template of the sensor in f.toml:16 and of 1 more)`},
		{"a field of one sensor", strings.Replace(fromTemplate, "field.temperature", "field.temprature", 1) + sensor("a", `"hall"`), "11:22",
			`sensor "a" has no field "temprature" (did you mean "temperature"?)`},
		{"what a sensor lacks", minimal + "[template.x]\ndriver = \"sht4x\"\nevery = \"1s\"\n" + sensor("a", `"x"`), "6:3", `sensor "a".bus is missing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			if err == nil || !strings.HasPrefix(err.Error(), "f.toml:"+tt.where+": ") || !strings.Contains(err.Error(), tt.says) || strings.Count(err.Error(), "^") != 1 {
				t.Errorf("want %s: %s, got\n%v", tt.where, tt.says, err)
			}
		})
	}
}
