package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
	"github.com/fieldgate/fieldgate/drivers/record"
	"github.com/fieldgate/fieldgate/internal/doctor"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// aScan is what a Raspberry Pi might have.
func aScan() *scan.Found {
	return &scan.Found{
		I2C: []scan.Bus{
			{Bus: "/dev/i2c-1", Devices: []scan.Device{
				{Address: "0x76", Drivers: []string{"bme280", "bmp280"}}, {Address: "0x48", Drivers: []string{"ads1115"}, Identified: true},
				{Address: "0x68", Kernel: "rtc-ds1307", Through: `use driver = "hwmon"`}, {Address: "0x44", Sensor: "roof", Drivers: []string{"sht3x"}}, {Address: "0x50"},
			}},
			{Bus: "/dev/i2c-3", Error: "/dev/i2c-3 hangs"},
		},
		Serial: []bus.SerialPort{{Name: "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0", File: "/dev/ttyUSB0", USB: "usb:0403:6001:FT0001", Vendor: "FTDI", Product: "FT232R", Users: []string{"process 812 (ModemManager)"}}},
		W1:     []string{"28-0316a2795fff"},
		Hwmon:  []sysfs.Listed{{Name: "ds3231", Device: "1-0068", Channels: []string{"temp1"}}, {Name: "pwmfan", Device: "fan", Channels: []string{"pwm1"}}},
		IIO:    []sysfs.Listed{{Name: "ads1015", Device: "1-0049", Channels: []string{"voltage0", "voltage0-voltage1", "timestamp"}}},
	}
}

func TestPrintScan(t *testing.T) {
	var b strings.Builder
	if err := printScan(&b, aScan()); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"0x76 may be bme280, bmp280", "0x48 driver ads1115", `0x68 used by the kernel driver rtc-ds1307: use driver = "hwmon"`, "0x44 sensor roof; may be sht3x",
		"0x50 no driver knows a chip with this address", "/dev/i2c-3 hangs", "usb:0403:6001:FT0001 FTDI FT232R in use by process 812 (ModemManager)", "28-0316a2795fff driver ds18b20", "ds3231 at 1-0068 temp1", "GPIO none"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
}

// What --toml prints is a configuration that is right as it stands.
func TestScanTOMLIsGood(t *testing.T) {
	var b strings.Builder
	if err := aScan().WriteTOML(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fieldgate.toml")
	if err := os.WriteFile(file, []byte("[mqtt]\nurls = [\"mqtt://127.0.0.1:1\"]\n"+b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, catalogue())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var got []string
	for i := range c.Sensors {
		got = append(got, c.Sensors[i].Name+"="+c.Sensors[i].Driver)
	}
	if want := "[i2c1-76=bme280 i2c1-48=ads1115 28-0316a2795fff=ds18b20 hwmon-ds3231-1-0068=hwmon iio-ads1015-1-0049=iio]"; fmt.Sprint(got) != want {
		t.Errorf("want %s, got %v", want, got)
	}
	if !strings.Contains(b.String(), "# or bmp280") || !strings.Contains(b.String(), "# bus = \"/dev/serial/by-id/usb-FTDI_FT232R-if00-port0\"") {
		t.Errorf("got\n%s", b.String())
	}
}

func TestScanOfThisMachine(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	out, code := g.command("scan", "--json", "-c", g.path("fieldgate.toml"))
	var f scan.Found
	if err := json.Unmarshal([]byte(out), &f); err != nil || code != exitDone || f.I2C == nil || f.GPIO == nil {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	if out, code := g.command("scan", "--json", "--toml"); code != exitUsage {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// record on a real pseudo-terminal, and the driver that reads the recording.
func TestRecordCommand(t *testing.T) {
	device, port := drivertest.Pty(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			if _, err := fmt.Fprintf(device, "%d;%d\n", n, n*n); err != nil {
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { device.Close(); <-done })
	g := newGateway(t, "mqtt://127.0.0.1:1", "[[sensor]]\nname = \"scale\"\ndriver = \"line\"\nbus = \""+port+"\"\nevery = \"100ms\"\n[sensor.options]\ncolumns = [\"a\", \"b\"]\nseparator = \";\"\n"+waveSensor)
	file := g.path("recording.json")
	out, code := g.command("record", "scale", "--for", "700ms", "--output", file, "-c", g.path("fieldgate.toml"))
	if code != exitDone || !strings.Contains(out, " readings, 0 of them failed") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r record.Recording
	if err := json.Unmarshal(text, &r); err != nil || len(r.Readings) < 2 || r.Program == "" {
		t.Fatalf("%v: %s", err, text)
	}
	spec := all.Specs()[slices.IndexFunc(all.Specs(), func(s drivers.Spec) bool { return s.Name == "line" })]
	drivertest.Replay(t, spec, file)
	if out, code := g.command("record", "wave", "-c", g.path("fieldgate.toml")); code != exitUsage || !strings.Contains(out, "does not use a bus") {
		t.Errorf("exit code %d: %s", code, out)
	}
	g.running()
	if out, code := g.command("record", "scale", "-c", g.path("fieldgate.toml")); code != exitFailed || !strings.Contains(out, "the gateway is running") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestDoctorCommand(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor+"[[sensor]]\nname = \"hall\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-99\"\nevery = \"1s\"\n")
	args := []string{"doctor", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir}
	out, code := g.command(args...)
	for _, want := range []string{"ok    gateway", "ok    board", "ok    sensor wave", "fail  broker mqtt://127.0.0.1:1", "nothing listens at the port", "fail  sensor hall", "I2C bus /dev/i2c-99 does not exist: " + board.Here().EnableI2C(),
		"ok    store", "some checks failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	g.running()
	eventually(t, 5*time.Second, "the sensor is missing", func() bool { s, err := g.ask(); return err == nil && s.Health.Sensors["hall"].State == "missing" })
	out, code = g.command(append(args, "--json")...)
	if i := strings.LastIndex(out, "]"); i >= 0 {
		out = out[:i+1] // before the verdict
	}
	var checks []doctor.Check
	if err := json.Unmarshal([]byte(out), &checks); err != nil || code != exitFailed {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	says := fmt.Sprint(checks)
	for _, want := range []string{"it uses the sensors", "{sensor hall fail missing: ", "{broker fail the gateway is not connected: "} {
		if !strings.Contains(says, want) {
			t.Errorf("want %q in\n%s", want, says)
		}
	}
}
