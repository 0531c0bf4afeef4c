package unit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
)

// board is a machine with some devices; every group exists but i2c.
type board map[string]struct {
	major uint32
	group string
}

func (b board) Device(file string) (uint32, string, bool) {
	d, ok := b[file]
	return d.major, d.group, ok
}
func (b board) HasGroup(name string) bool { return name != "i2c" }
func (b board) HasFile(name string) bool  { return strings.HasSuffix(name, "there") }

func TestDropIn(t *testing.T) {
	const (
		inet   = "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"
		local  = "RestrictAddressFamilies=AF_UNIX"
		tcp    = `urls = ["mqtts://b:8883"]`
		socket = `urls = ["unix:/run/mqtt"]`
	)
	for _, v := range []struct {
		name, mqtt, sensors string
		want                string // lines without comments and resets
	}{
		{"no sensor", tcp, "", inet},
		{"no network", socket, `host`, local},
		{"I2C, no such group", socket, `bme280 bus=/dev/i2c-1`, "DeviceAllow=char-89 rw|" + local},
		{"two on a bus", socket, "bme280 bus=/dev/i2c-1\nsht3x bus=/dev/i2c-1", "DeviceAllow=char-89 rw|" + local},
		{"Modbus TCP", tcp, `modbus-tcp bus=10.0.0.1:502`, inet},
		{"Modbus TCP makes the network needed", socket, `modbus-tcp bus=10.0.0.1:502`, inet},
		{"a USB adapter that is away", socket, `modbus-rtu bus=/dev/serial/by-id/usb-x`, "DeviceAllow=char-166 rw|DeviceAllow=char-188 rw|SupplementaryGroups=dialout|" + local},
		{"by its ids", socket, `modbus-rtu bus=usb:0403:6001`, "DeviceAllow=char-166 rw|DeviceAllow=char-188 rw|SupplementaryGroups=dialout|" + local},
		{"a UART with another class and group", socket, `modbus-rtu bus=/dev/ttymxc2`, "DeviceAllow=char-207 rw|SupplementaryGroups=uucp|" + local},
		{"a name that says nothing and is away", socket, `modbus-rtu bus=/dev/meter`, "DeviceAllow=char-166 rw|DeviceAllow=char-188 rw|DeviceAllow=char-204 rw|DeviceAllow=char-4 rw|SupplementaryGroups=dialout|" + local},
		{"a UART of the board", socket, `modbus-rtu bus=/dev/ttyAMA0`, "DeviceAllow=char-204 rw|SupplementaryGroups=dialout|" + local},
		{"a pin", socket, "gpio-in line=GPIO17 chip=gpiochip0", "DeviceAllow=char-gpiochip rw|SupplementaryGroups=gpio|" + local},
		{"a socket", socket, `nmea bus=unix:/run/gps`, local},
		{"a program", socket, `nmea bus=exec:/usr/bin/gps`, inet},
		{"places of its own", socket + "\n[buffer]\npath = \"/data/fg/queue.db\"\n[control]\nsocket = \"/run/fieldgate/own.sock\"", "", "ReadWritePaths=/data/fg|" + local},
		{"a credential", socket + "\nusername = \"u\"\npassword_credential = \"there\"", "", local + "|LoadCredential=there:DIR/there"},
		{"a credential of the page", socket + "\n[page]\npassword_credential = \"there\"", "", local + "|LoadCredential=there:DIR/there"},
		{"a page", socket + "\n[page]\nlisten = \"127.0.0.1:8080\"", "", inet},
		{"a credential without its file", socket + "\nusername = \"u\"\npassword_credential = \"away\"", "", local},
	} {
		t.Run(v.name, func(t *testing.T) {
			text := "[gateway]\nid = \"g\"\n[mqtt]\n" + v.mqtt + "\n"
			for i, s := range strings.Split(v.sensors, "\n") {
				text += sensor(i, s)
			}
			file := filepath.Join(t.TempDir(), "f.toml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(file, config.Catalogue{Drivers: all.Specs(), Formats: formats.Words()})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			drop := DropIn(c, file, board{"/dev/ttymxc2": {207, "uucp"}, "/dev/ttyAMA0": {204, "dialout"}})
			for line := range strings.Lines(drop) {
				if line = strings.TrimSpace(line); line[0] != '#' && line != "[Service]" && !strings.HasSuffix(line, "=") {
					got = append(got, strings.ReplaceAll(line, filepath.Dir(file), "DIR"))
				}
			}
			if have := strings.Join(got, "|"); have != v.want {
				t.Errorf("want %s\n got %s\n%s", v.want, have, drop)
			}
		})
	}
}

// sensor writes a sensor: its driver, and options as key=value.
func sensor(i int, words string) string {
	f := strings.Fields(words)
	if len(f) == 0 {
		return ""
	}
	text, options := "[[sensor]]\nname = \"s"+string(rune('0'+i))+"\"\nevery = \"10s\"\ndriver = \""+f[0]+"\"\n", ""
	for _, w := range f[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "bus":
			text += "bus = \"" + value + "\"\n"
		default:
			options += key + " = \"" + value + "\"\n"
		}
	}
	if strings.HasPrefix(f[0], "modbus") {
		options += "unit_id = 1\n[[sensor.options.registers]]\nfield = \"a\"\naddress = 0\ntype = \"uint16\"\n"
	}
	return text + "[sensor.options]\n" + options
}
