package config_test

import (
	"strings"
	"testing"
)

// TestOutputMistakes: what a sensor sends after its filters, with lines 3 to 6 for the sensor.
func TestOutputMistakes(t *testing.T) {
	const sensor = minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\n"
	const computed = sensor + "[[sensor.computed]]\n"
	for _, tt := range []struct{ name, text, where, says string }{
		{"a computed field of nothing", computed + "field = \"x\"\nop = \"sum\"\nof = []\n", "11:1", "want 2 to 64 fields"},
		{"of a name that is not there", computed + "field = \"x\"\nop = \"sum\"\nof = [\"temperature\", \"tmperature\"]\n", "11:22", `there is no field "tmperature" before this one (did you mean "temperature"?)`},
		{"named like a field of the sensor", computed + "field = \"temperature\"\nop = \"sum\"\nof = [\"temperature\", \"temperature\"]\n", "9:9", `there is a field "temperature" already`},
		{"of itself", computed + "field = \"x\"\nop = \"sum\"\nof = [\"temperature\", \"x\"]\n", "11:22", `there is no field "x" before this one`},
		{"of a text", computed + "field = \"x\"\nop = \"sum\"\nof = [\"temperature\", \"label\"]\n", "11:22", "label is a string, not a number"},
		{"a ratio of three", computed + "field = \"x\"\nop = \"ratio\"\nof = [\"temperature\", \"temperature\", \"temperature\"]\n", "11:1", "a ratio is of two fields, not 3"},
		{"an operation", computed + "field = \"x\"\nop = \"add\"\nof = [\"temperature\", \"temperature\"]\n", "10:6", "must be one of sum, difference, product, ratio"},
		{"without a name", computed + "op = \"sum\"\nof = [\"temperature\", \"temperature\"]\n", "8:10", "computed.0.field is missing"},
		{"a name that is taken", computed + "field = \"label\"\nop = \"sum\"\nof = [\"temperature\", \"temperature\"]\n", "9:9", `there is a field "label" already`},
		{"an upper-case name", computed + "field = \"Sum\"\nop = \"sum\"\nof = [\"temperature\", \"temperature\"]\n", "9:9", `"Sum" is not a lower-case name`},
		{"a new name that is taken", sensor + "[sensor.field.temperature]\nrename = \"label\"\n[sensor.field.label]\nrename = \"temperature\"\n[[sensor.computed]]\nfield = \"label\"\nop = \"sum\"\nof = [\"label\", \"label\"]\n",
			"13:9", `there is a field "label" already`},
		{"two of one name", sensor + "[sensor.field.temperature]\nrename = \"label\"\n", "9:10", `there is a field "label" already`},
		{"nothing is left", sensor + "[sensor.field.temperature]\ndrop = true\n[sensor.field.label]\ndrop = true\n", "3:3", "drops every field"},
		{"a name and none", sensor + "[sensor.field.temperature]\ndrop = true\nrename = \"x\"\n", "10:10", "the field is dropped"},
		{"a calibration that falls", sensor + "[sensor.field.temperature]\ncalibration = [[1, 0], [0, 1]]\n", "9:1", "the first numbers rising"},
		{"a calibration of one pair", sensor + "[sensor.field.temperature]\ncalibration = [[1, 0]]\n", "9:1", "want 2 to 64 pairs"},
		{"a calibration and a scale", sensor + "[sensor.field.temperature]\ncalibration = [[0, 0], [1, 2]]\nscale = 2\n", "9:1", "takes the place of scale and offset"},
		{"a counter without a rate", sensor + "[sensor.field.temperature]\ncounter = \"uint16\"\n", "9:11", "it needs delta or rate"},
		{"a counter", sensor + "[sensor.field.temperature]\ndelta = true\ncounter = \"uint24\"\n", "10:11", "must be one of reset, uint8, uint16, uint32"},
		{"delta and rate", sensor + "[sensor.field.temperature]\ndelta = true\nrate = \"1h\"\n", "9:9", "rate is a difference already"},
		{"a rate of no time", sensor + "[sensor.field.temperature]\nrate = \"1ms\"\n", "9:8", "must be from 1s to 24h, not 1ms"},
		{"limits that cross", sensor + "[sensor.field.temperature]\nclamp = [5, 1]\n", "9:1", "want the least and the greatest result"},
		{"an alarm whose limits cross", sensor + "[sensor.field.temperature]\nalarm_above = 1\nalarm_below = 5\n", "9:15", "1 must be above alarm_below, which is 5"},
		{"an alarm that never clears", sensor + "[sensor.field.temperature]\nalarm_above = 5\nalarm_below = 1\nalarm_hysteresis = 4\n", "9:15", "by more than alarm_hysteresis, which is 4"},
		{"a time without an alarm", sensor + "[sensor.field.temperature]\nalarm_for = \"1m\"\n", "9:13", "it needs alarm_above or alarm_below"},
		{"an alarm of a field that is not sent", sensor + "[sensor.field.temperature]\nalarm_above = 1\ndrop = true\n", "10:8", "the field has an alarm"},
		{"an upper-case label", minimal + "[gateway]\nlabels = { Site = \"x\" }\n", "4:19", `"Site" is not a lower-case name`},
		{"an empty label", sensor + "labels.site = \"\"\n", "8:15", "want a text of 1 to 128 bytes"},
		{"a label that is a number", sensor + "labels.site = 5\n", "8:15", "must be a string, not 5"},
		{"digits", sensor + "[sensor.field.temperature]\nround = -1\n", "9:9", "want 0 to 9 digits"},
		{"the median of a text", sensor + "[sensor.field.label]\nmedian = 3\n", "9:10", "only numbers can have it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			ok := err != nil && strings.Contains(err.Error(), "f.toml:"+tt.where+": ") && strings.Contains(err.Error(), tt.says)
			if !ok || strings.Count(err.Error(), "^") != 1 && tt.name != "a new name that is taken" {
				t.Errorf("want %s: %s, got\n%v", tt.where, tt.says, err)
			}
		})
	}
}
