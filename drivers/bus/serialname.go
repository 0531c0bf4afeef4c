package bus

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

// deviceFile returns the device file that a name of the configuration means now.
func (h *Host) deviceFile(name string) (string, error) {
	usb, ok := drivers.ParseUSBName(name)
	if !ok {
		return realName(name), nil
	}
	var found, others []string
	for _, d := range usbSerials(h.sys) {
		if d.name.Vendor == usb.Vendor && d.name.Product == usb.Product && (usb.Serial == "" || d.name.Serial == usb.Serial) {
			found = append(found, d.file)
		}
		others = append(others, d.String())
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		present := "none"
		if len(others) > 0 {
			present = strings.Join(others, ", ")
		}
		return "", &devfile.Error{Text: fmt.Sprintf("no USB serial adapter is %s: is it plugged in? Present: %s", name, present), Cause: fs.ErrNotExist}
	}
	return "", fmt.Errorf("%s is more than one serial port (%s): add the serial number, or use a name in /dev/serial/by-id or by-path. Present: %s",
		name, strings.Join(found, ", "), strings.Join(others, ", "))
}

// A usbSerial is a serial port of a USB device.
type usbSerial struct {
	name    drivers.USBName
	product string // as the device calls itself
	file    string
}

func (d usbSerial) String() string {
	if d.product == "" {
		return fmt.Sprintf("%v (%s)", d.name, d.file)
	}
	return fmt.Sprintf("%v (%s, %s)", d.name, d.product, d.file)
}

// usbSerials returns the serial ports on USB.
func usbSerials(sys string) []usbSerial {
	links, _ := filepath.Glob(filepath.Join(sys, "class/tty/*/device"))
	var all []usbSerial
	for _, link := range links {
		dir, err := filepath.EvalSymlinks(link)
		if err != nil {
			continue
		}
		// The tty's device is an interface, or a port of one, of the USB device, which is a folder
		// or two further up.
		for ; len(dir) > len(sys); dir = filepath.Dir(dir) {
			vendor := attribute(dir, "idVendor")
			if vendor == "" {
				continue
			}
			all = append(all, usbSerial{
				name:    drivers.USBName{Vendor: vendor, Product: attribute(dir, "idProduct"), Serial: attribute(dir, "serial")},
				product: attribute(dir, "product"),
				file:    "/dev/" + filepath.Base(filepath.Dir(link)),
			})
			break
		}
	}
	return all
}

func attribute(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// adviseName logs, once for a port, that there is a name for it that lasts when adapters are
// plugged in another order. h.mu is held.
func (h *Host) adviseName(name, file string) {
	base := filepath.Base(name)
	if h.advised[name] || name != file || !strings.HasPrefix(base, "ttyUSB") && !strings.HasPrefix(base, "ttyACM") {
		return
	}
	h.advised[name] = true
	if lasting := lastingName(file); lasting != "" {
		h.log.Warn("the name of this serial port changes when adapters are plugged in another order", "bus", name, "use", lasting)
	}
}

// lastingName returns the name of a device file in /dev/serial, "" if it has none.
func lastingName(file string) string {
	for _, pattern := range []string{"/dev/serial/by-id/*", "/dev/serial/by-path/*"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if realName(name) == file {
				return name
			}
		}
	}
	return ""
}

// SerialPorts returns the device files of the serial ports that there are, by their lasting names
// if they have one.
func SerialPorts() []string { return serialPorts("/dev", "/sys") }

func serialPorts(dev, sys string) []string {
	var names []string
	seen := map[string]bool{}
	for _, pattern := range []string{
		"serial/by-id/*", "serial/by-path/*", "serial[0-9]*", "ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS[0-9]*", "ttySC*", "ttymxc*",
	} {
		found, _ := filepath.Glob(filepath.Join(dev, pattern))
		for _, name := range found {
			if real := realName(name); !seen[real] && hasUART(sys, real) {
				seen[real] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// hasUART reports whether there is a port behind a device file. Of ttyS the kernel makes more than
// there are, whose type is 0.
func hasUART(sys, file string) bool {
	base := filepath.Base(file)
	if n, ok := strings.CutPrefix(base, "ttyS"); !ok || n == "" || n[0] < '0' || n[0] > '9' {
		return true
	}
	kind := attribute(filepath.Join(sys, "class/tty", base), "type")
	return kind != "" && kind != "0"
}
