package hwmon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
)

// machine returns the root of one with an RTC, two EMC1413 and a processor, laid out as Linux 6.1
// does.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for folder, files := range map[string]map[string]string{
		"platform/soc/fe804000.i2c/i2c-1/1-0068/hwmon/hwmon2": {"name": "ds3231", "temp1_input": "23250"},
		"platform/soc/fe804000.i2c/i2c-1/1-004c/hwmon/hwmon3": {"name": "emc1413", "temp1_input": "41000", "temp2_input": "-5125", "temp2_fault": "0", "temp3_input": "0", "temp3_fault": "1"},
		"platform/soc/fe804000.i2c/i2c-1/1-0018/hwmon/hwmon0": {"name": "emc1413", "temp1_input": "20000"},
		"virtual/thermal/thermal_zone0/hwmon1":                {"name": "cpu_thermal", "temp1_input": "48312", "temp1_label": "zone", "temp2_input": "50000", "temp2_label": "Core 0"},
		"platform/ina/hwmon/hwmon4": {"name": "ina226", "in1_input": "12050", "curr1_input": "-250", "power1_average": "3012500",
			"energy1_input": "5000000", "humidity1_input": "45500", "fan1_input": "1200", "freq1_input": "50", "in2_input": "warm"},
	} {
		real := filepath.Join(root, "sys/devices", folder)
		link := filepath.Join(root, "sys/class/hwmon", filepath.Base(folder))
		if err := errors.Join(os.MkdirAll(real, 0o755), os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(real, link)); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(real, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestDriver(t *testing.T) {
	root := machine(t)
	folder := filepath.Join(root, "sys/class/hwmon/hwmon3")
	drivertest.Suite{
		Spec: Spec,
		Options: func(o any) {
			*o.(*Options) = Options{root: root, Name: "emc1413", Device: "1-004c", Channels: map[string]Channel{"inside": {Input: "temp1"}, "pipe": {Input: "temp2"}}}
		},
		Files: []string{filepath.Join(folder, "name"), filepath.Join(folder, "temp1_input"), filepath.Join(folder, "temp2_input"), filepath.Join(folder, "temp2_fault")},
	}.Run(t)
}

func TestRead(t *testing.T) {
	root := machine(t)
	one := func(input string) map[string]Channel { return map[string]Channel{"v": {Input: input}} }
	tests := []struct {
		name         string
		device, part string
		channels     map[string]Channel
		want         string // the values, or part of the error
	}{
		{"default", "ds3231", "", nil, "{temperature=23.25(float)} <nil>"},
		{"by device", "emc1413", "1-0018", nil, "{temperature=20(float)} <nil>"},
		{"several channels", "emc1413", "1-004c", map[string]Channel{"inside": {Input: "temp1"}, "pipe": {Input: "temp2"}, "open": {Input: "temp3"}},
			"{inside=41(float), open=bad(fault), pipe=-5.125(float)} <nil>"},
		{"by label", "cpu_thermal", "", map[string]Channel{"core": {Input: "temp", Label: "Core 0"}}, "{core=50(float)} <nil>"},
		{"voltage", "ina226", "", one("in1"), "{v=12.05(float)}"},
		{"current", "ina226", "", one("curr1"), "{v=-0.25(float)}"},
		{"average power", "ina226", "", one("power1"), "{v=3.0125(float)}"},
		{"energy", "ina226", "", one("energy1"), "{v=5(float)}"},
		{"humidity", "ina226", "", one("humidity1"), "{v=45.5(float)}"},
		{"fan", "ina226", "", one("fan1"), "{v=1200(float)}"},
		{"frequency", "ina226", "", one("freq1"), "{v=50(float)}"},
		{"no number", "ina226", "", one("in2"), "hwmon: ina226 at ina: v: "},
		{"one of two is no number", "ina226", "", map[string]Channel{"a": {Input: "in1"}, "b": {Input: "in2"}}, "b=bad(format)"},
		{"which of two", "emc1413", "", nil, "2 devices are named emc1413: choose one with the option device. Present: emc1413 at 1-0018, emc1413 at 1-004c"},
		{"nobody", "lm75", "", nil, "no device is lm75: is its kernel driver loaded (" + board.Here().Overlay() + "), and does the device answer? Present: cpu_thermal at thermal_zone0, ds3231 at 1-0068"},
		{"nobody there", "ds3231", "1-0069", nil, "no device is ds3231 at 1-0069"},
		{"no such channel", "ds3231", "", one("temp7"), "v: it has no temp7; it has temp1"},
		{"no such label", "cpu_thermal", "", map[string]Channel{"v": {Input: "temp", Label: "Core 1"}}, `no temp of it has the label "Core 1"; there are "zone", "Core 0"`},
		{"no labels", "ds3231", "", map[string]Channel{"v": {Input: "temp", Label: "x"}}, "no temp of it has a label"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Name: test.device, Device: test.part, Channels: test.channels, root: root}
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			if got := drivertest.Outcome(t, Spec, drivertest.None(), &o); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// Numbers with which the kernel's driver says that it has none, of channels in m°C and mV.
func TestInvalid(t *testing.T) {
	root := machine(t)
	o := Options{Name: "emc1413", Device: "1-004c", root: root, Invalid: []float64{-5125, -128000},
		Channels: map[string]Channel{"inside": {Input: "temp1"}, "pipe": {Input: "temp2"}}}
	if got, want := drivertest.Outcome(t, Spec, drivertest.None(), &o), "{inside=41(float), pipe=bad(not measured)} <nil>"; !strings.Contains(got, want) {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestGone(t *testing.T) {
	root := machine(t)
	d, err := Open(t.Context(), Options{Name: "ds3231", root: root})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "sys/devices/platform/soc")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, so that it is looked for anew, got %v", err)
	}
}

func TestCheck(t *testing.T) {
	o := &Options{Channels: map[string]Channel{"Core": {Input: "temp1"}, "a": {Input: "temp"}, "b": {Input: "warmth1"}, "c": {Input: "temp1", Label: "x"}, "d": {Input: "temp1/../x"}}}
	err := o.Check()
	for _, want := range []string{"option name: it is missing", "option channels.Core: the name of a field", "option channels.a.input: \"temp\" has no number",
		"option channels.b.input: \"warmth1\"; want", "channels.c.input: \"temp1\" has a number and a label", "channels.d.input: \"temp1/../x\"; want"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if e := (*drivers.OptionError)(nil); !errors.As(err, &e) {
		t.Errorf("want OptionErrors, got %T", err)
	}
	if err := (&Options{Name: "x", Channels: map[string]Channel{}}).Check(); err == nil {
		t.Error("want an empty table refused")
	}
}
