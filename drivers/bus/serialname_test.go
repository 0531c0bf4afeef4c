package bus

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

// sysfs makes a tree as Linux has it: two FTDI adapters of one type, a CDC-ACM device without a
// serial number, and a UART.
func sysfs(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(sys, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	device := func(tty, dir, target string) {
		link := filepath.Join(sys, "class/tty", tty, "device")
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.MkdirAll(filepath.Join(sys, dir, target), 0o755), os.Symlink(filepath.Join(sys, dir, target), link)); err != nil {
			t.Fatal(err)
		}
	}
	usb := func(dir, vendor, product, serial, text string) {
		write(dir+"/idVendor", vendor)
		write(dir+"/idProduct", product)
		write(dir+"/product", text)
		if serial != "" {
			write(dir+"/serial", serial)
		}
	}
	usb("devices/usb1/1-1", "0403", "6001", "FT0001", "FT232R USB UART")
	device("ttyUSB0", "devices/usb1/1-1", "1-1:1.0/ttyUSB0")
	usb("devices/usb1/1-2", "0403", "6001", "FT0002", "FT232R USB UART")
	device("ttyUSB1", "devices/usb1/1-2", "1-2:1.0/ttyUSB1")
	usb("devices/usb1/1-3", "2341", "0043", "", "")
	device("ttyACM0", "devices/usb1/1-3", "1-3:1.0")
	device("ttyAMA0", "devices/platform", "fe201000.serial")
	return sys
}

func TestUSBNames(t *testing.T) {
	h := newHost(t)
	h.sys = sysfs(t)
	tests := []struct {
		name string
		want string // the file, or part of the error
	}{
		{"usb:0403:6001:FT0001", "/dev/ttyUSB0"},
		{"usb:0403:6001:FT0002", "/dev/ttyUSB1"},
		{"usb:2341:0043", "/dev/ttyACM0"},
		{"usb:0403:6001", "usb:0403:6001 is more than one serial port (/dev/ttyUSB0, /dev/ttyUSB1): add the serial number"},
		{"usb:0403:6001:FT0003", "no USB serial adapter is usb:0403:6001:FT0003: is it plugged in? Present: usb:2341:0043 (/dev/ttyACM0), " +
			"usb:0403:6001:FT0001 (FT232R USB UART, /dev/ttyUSB0), usb:0403:6001:FT0002 (FT232R USB UART, /dev/ttyUSB1)"},
		{"/dev/no-such-port", "/dev/no-such-port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := h.deviceFile(test.name)
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
	if _, err := h.Port(t.Context(), "usb:0403:6015", drivers.SerialMode{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want a device that is not there, got %v", err)
	}
}

// The kernel makes ttyS0 to ttyS31 on every machine; those that are ports have a type.
func TestSerialPorts(t *testing.T) {
	root := t.TempDir()
	dev, sys := filepath.Join(root, "dev"), filepath.Join(root, "sys")
	write := func(path, text string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ttyS0", "ttyS1", "ttyS2", "ttyS3", "ttyUSB0", "ttyACM0", "ttyAMA0", "ttyAMA10", "ttySC0", "ttymxc2", "ttyprintk", "tty1"} {
		write(filepath.Join(dev, name), "")
	}
	// of ttyS3 nothing is known
	for name, kind := range map[string]string{"ttyS0": "4\n", "ttyS1": "0\n", "ttyS2": "0\n"} {
		write(filepath.Join(sys, "class/tty", name, "type"), kind)
	}
	for link, file := range map[string]string{"serial/by-id/usb-FTDI-if00-port0": "ttyUSB0", "serial0": "ttyAMA0", "serial1": "ttyS1"} {
		link = filepath.Join(dev, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(filepath.Join(dev, file), link)); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.ReplaceAll(strings.Join(serialPorts(dev, sys), " "), dev+"/", "")
	if want := "serial/by-id/usb-FTDI-if00-port0 serial0 ttyACM0 ttyAMA10 ttyS0 ttySC0 ttymxc2"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestNoUSBAdapters(t *testing.T) {
	h := newHost(t)
	h.sys = t.TempDir()
	if _, err := h.deviceFile("usb:0403:6001"); err == nil || !strings.HasSuffix(err.Error(), "Present: none") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNameThatChangesIsLoggedOnce(t *testing.T) {
	file := "/dev/ttyUSB0"
	if lastingName(file) == "" {
		t.Skip("this machine has no USB serial adapter")
	}
	var log strings.Builder
	h := New(slog.New(slog.NewTextHandler(&log, nil)))
	h.adviseName(file, file)
	h.adviseName(file, file)
	if strings.Count(log.String(), "use=/dev/serial/by-id/") != 1 {
		t.Errorf("got %s", &log)
	}
}
