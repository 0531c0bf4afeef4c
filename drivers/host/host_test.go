package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// TestDriver reads the machine that the test runs on.
func TestDriver(t *testing.T) {
	drivertest.Suite{Spec: Spec}.Run(t)
	drivertest.Suite{Spec: Spec, Options: func(o any) { o.(*Options).Fields = []string{"throttled_flags", "uptime"} }}.Run(t)
}

func TestGarbledFiles(t *testing.T) {
	root := machine(t, pi())
	files := []string{"proc/loadavg", "proc/uptime", "proc/meminfo", "sys/class/thermal/thermal_zone1/temp", "sys/devices/platform/soc/soc:firmware/get_throttled"}
	for i, name := range files {
		files[i] = filepath.Join(root, name)
	}
	drivertest.Suite{
		Spec: Spec, Files: files,
		Options: func(o any) {
			*o.(*Options) = Options{root: root, Path: root, Fields: []string{"cpu_temperature", "load_1m", "memory_used", "memory_available", "uptime", "throttled_flags"}}
		},
	}.Run(t)
}

// pi is a Raspberry Pi 4 with a modem that has a thermal zone of its own.
func pi() map[string]string {
	return map[string]string{
		"proc/loadavg":                                        "0.52 0.58 0.59 1/389 12345\n",
		"proc/uptime":                                         "350735.47 234388.90\n",
		"proc/meminfo":                                        "MemTotal:        3884172 kB\nMemFree:          201648 kB\nMemAvailable:    3211820 kB\nBuffers:           84512 kB\n",
		"sys/class/thermal/thermal_zone0/type":                "modem\n",
		"sys/class/thermal/thermal_zone0/temp":                "30000\n",
		"sys/class/thermal/thermal_zone1/type":                "cpu-thermal\n",
		"sys/class/thermal/thermal_zone1/temp":                "48312\n",
		"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
		"sys/class/thermal/cooling_device0/type":              "gpio-fan\n",
		"proc/device-tree/model":                              "Raspberry Pi 4 Model B Rev 1.4\x00",
		"etc/os-release":                                      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
		"etc/rpi-issue":                                       "Raspberry Pi reference 2023-12-05\n",
	}
}

// machine returns the root of a board that has the given files.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// read measures a board that has the given files.
func read(t *testing.T, files map[string]string, fields ...string) []drivers.Value {
	t.Helper()
	root := machine(t, files)
	d, err := Open(t.Context(), Options{Fields: fields, Path: root, root: root})
	if err != nil {
		t.Fatal(err)
	}
	values, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestFields(t *testing.T) {
	tests := []struct {
		name, field string
		file, text  string // what differs from a Raspberry Pi; "-" means that no file begins so
		want        string
	}{
		{"no zones", "cpu_temperature", "sys/class/thermal/thermal_zone", "-", "cpu_temperature=bad(not present)"},
		{"sleeping zone", "cpu_temperature", "sys/class/thermal/thermal_zone1/temp", "-", "cpu_temperature=bad(not measured)"},
		{"strange temperature", "cpu_temperature", "sys/class/thermal/thermal_zone1/temp", "warm", "cpu_temperature=bad(format)"},
		{"strange load", "load_1m", "proc/loadavg", "?", "load_1m=bad(format)"},
		{"infinite load", "load_1m", "proc/loadavg", "inf 0 0", "load_1m=bad(range)"},
		{"no load", "load_1m", "proc/loadavg", "-", "load_1m=bad(not present)"},
		{"empty uptime", "uptime", "proc/uptime", "", "uptime=bad(not present)"},
		{"kernel before MemAvailable", "memory_used", "proc/meminfo", "MemTotal: 10 kB\nMemFree: 5 kB\n", "memory_used=bad(not present)"},
		{"no firmware", "throttled_flags", "sys/devices/platform/soc/soc:firmware/get_throttled", "-", "throttled_flags=bad(not present)"},
		{"OK temperature", "cpu_temperature", "", "", "cpu_temperature=48.312(float)"},
		{"OK frost", "cpu_temperature", "sys/class/thermal/thermal_zone1/temp", "-12000\n", "cpu_temperature=-12(float)"},
		{"no zone of the processor", "cpu_temperature", "sys/class/thermal/thermal_zone1/type", "x", "cpu_temperature=bad(not present)"},
		{"OK load", "load_1m", "", "", "load_1m=0.52(float)"},
		{"OK uptime", "uptime", "", "", "uptime=350735.47(float)"},
		{"OK memory used", "memory_used", "", "", fmt.Sprintf("memory_used=%d(int)", int64(3884172-3211820)*1024)},
		{"OK memory available", "memory_available", "", "", fmt.Sprintf("memory_available=%d(int)", int64(3211820)*1024)},
		{"OK model", "model", "", "", "model=Raspberry Pi 4 Model B Rev 1.4(string)"},
		{"no model", "model", "proc/device-tree", "-", "model=bad(not present)"},
		{"OK system", "system", "", "", "system=Raspberry Pi OS 12 (bookworm)(string)"},
		{"OK throttled", "throttled_flags", "", "", fmt.Sprintf("throttled_flags=%d(int)", 0x50005)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := pi()
			if test.text == "-" {
				maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, test.file) })
			} else if test.file != "" {
				files[test.file] = test.text
			}
			values := read(t, files, test.field)
			if got := fmt.Sprintf("%#v", values[0]); len(values) != 1 || got != test.want {
				t.Errorf("want %s, got %#v", test.want, values)
			}
		})
	}
}

// The zones of boards, by their numbers: the temperature of each is its number.
func TestThermalZones(t *testing.T) {
	tests := []struct {
		name   string
		zones  map[int]string
		option string
		want   string
	}{
		{"Raspberry Pi", map[int]string{0: "cpu-thermal"}, "", "0(float)"},
		{"Jetson Nano", map[int]string{0: "AO-therm", 1: "CPU-therm", 2: "GPU-therm", 3: "PLL-therm", 4: "PMIC-Die", 5: "thermal-fan-est"}, "", "1(float)"},
		{"Rockchip", map[int]string{0: "soc-thermal", 1: "gpu-thermal"}, "", "0(float)"},
		{"the processor before the chip that it is on", map[int]string{0: "soc-thermal", 1: "gpu-thermal", 2: "cpu-thermal"}, "", "2(float)"},
		{"a state of charge", map[int]string{0: "battery", 1: "soc", 2: "cpu0-silver-usr"}, "", "2(float)"},
		{"nothing but a state of charge", map[int]string{0: "soc", 1: "soc-battery-therm"}, "", "bad(not present)"},
		{"the battery of the processor's clock", map[int]string{0: "cpu-battery"}, "", "bad(not present)"},
		{"numbers, not letters", map[int]string{2: "cpu1-thermal", 10: "cpu9-thermal"}, "", "2(float)"},
		{"PC", map[int]string{0: "acpitz", 1: "INT3400 Thermal", 12: "x86_pkg_temp", 3: "iwlwifi_1"}, "", "12(float)"},
		{"i.MX 6", map[int]string{0: "imx_thermal_zone"}, "", "0(float)"},
		{"none of the processor", map[int]string{0: "acpitz", 1: "modem"}, "", "bad(not present)"},
		{"chosen", map[int]string{0: "cpu-thermal", 1: "GPU-therm"}, "gpu-therm", "1(float)"},
		{"chosen by its folder", map[int]string{0: "tsens_tz_sensor", 1: "tsens_tz_sensor", 10: "tsens_tz_sensor"}, "thermal_zone10", "10(float)"},
		{"chosen, first of several", map[int]string{2: "tsens_tz_sensor", 10: "tsens_tz_sensor"}, "tsens_tz_sensor", "2(float)"},
		{"chosen and not there", map[int]string{0: "cpu-thermal"}, "gpu-thermal", "bad(not present)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{}
			for n, kind := range test.zones {
				zone := fmt.Sprintf("sys/class/thermal/thermal_zone%d", n)
				files[zone+"/type"], files[zone+"/temp"] = kind+"\n", fmt.Sprintln(n*1000)
			}
			root := machine(t, files)
			o := &Options{Fields: []string{"cpu_temperature"}, ThermalZone: test.option, Path: root, root: root}
			if got := drivertest.Outcome(t, Spec, drivertest.None(), o); !strings.Contains(got, "cpu_temperature="+test.want) {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
}

func TestDisk(t *testing.T) {
	values := read(t, pi(), "disk_free", "disk_used")
	if values[0].Int() <= 0 || values[1].Int() < 0 || values[0].Field != "disk_free" {
		t.Errorf("want plausible sizes in the order asked for, got %#v", values)
	}
	d, err := Open(t.Context(), Options{Fields: []string{"disk_free"}, Path: "/does/not/exist", root: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Bad("disk_free", "not present") {
		t.Errorf("want the field bad where the path does not exist, got %#v, %v", values, err)
	}
}

func TestCheck(t *testing.T) {
	o := &Options{Fields: []string{"uptime", "fan", "uptime"}, Path: "var"}
	err := o.Check()
	for _, want := range []string{`"fan" is none of cpu_temperature`, `"uptime" is there twice`, "option path: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if e := (*drivers.OptionError)(nil); !errors.As(err, &e) {
		t.Errorf("want OptionErrors, got %T", err)
	}
	if err := (&Options{Fields: []string{}, Path: "/"}).Check(); err == nil {
		t.Error("want an empty list refused")
	}
}

func BenchmarkRead(b *testing.B) {
	d, err := Open(b.Context(), *Spec.Options().(*Options))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Read(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
