package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A device on a serial line that says nothing: the message names the sensor, its port, the line's
// settings and the unit.
func TestReadSilentDevice(t *testing.T) {
	_, port := drivertest.Pty(t)
	g := newGateway(t, "mqtt://127.0.0.1:1", `[[sensor]]
name = "meter"
driver = "modbus-rtu"
bus = "`+port+`"
every = "1s"
[sensor.options]
unit_id = 9
parity = "even"
[[sensor.options.registers]]
field = "power"
[[sensor]]
name = "hall"
driver = "bme280"
bus = "/dev/i2c-99"
every = "1s"
`)
	out, code := g.command("read", "meter", "-c", g.path("fieldgate.toml"))
	for _, want := range []string{"fieldgate read: meter on " + port + ": modbus-rtu: unit 9: ", "no answer within 300ms at 9600 8E1: ", "is this its unit_id, are baud and parity those of the device, and are A and B not swapped?\n"} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("want %q, got %d %s", want, code, out)
		}
	}
	out, code = g.command("read", "hall", "-c", g.path("fieldgate.toml"))
	if code != exitFailed || !strings.Contains(out, "fieldgate read: hall: I2C bus /dev/i2c-99 does not exist") {
		t.Errorf("%d %s", code, out)
	}
}

// Somebody at a terminal sees what is waited for; a file is not.
func TestSayWaiting(t *testing.T) {
	device, port := drivertest.Pty(t)
	terminal, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	printWaiting(terminal, time.Hour, "what took no time")()
	defer printWaiting(terminal, time.Millisecond, "waiting up to 30s for meter")()
	if line, err := bufio.NewReader(device).ReadString('\n'); err != nil || strings.TrimSpace(line) != "waiting up to 30s for meter" {
		t.Errorf("got %q, %v", line, err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer printWaiting(file, 0, "nobody reads this")()
	<-time.After(20 * time.Millisecond)
	if text, err := os.ReadFile(file.Name()); err != nil || len(text) > 0 {
		t.Errorf("got %q, %v", text, err)
	}
}
