package drivers

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// A Bus is a kind of bus. The name of one bus of that kind, as in the configuration's `bus`, is a
// string that Check accepts.
type Bus string

const (
	NoBus      Bus = ""        // the machine itself: the configuration names no bus
	I2CBus     Bus = "i2c"     // a device file such as /dev/i2c-1
	SerialBus  Bus = "serial"  // a serial port, or one of what stands for it: see PortKind
	NetworkBus Bus = "network" // a host and a TCP port
)

// Example returns a name of a bus of this kind.
func (b Bus) Example() string {
	switch b {
	case I2CBus:
		return "/dev/i2c-1"
	case SerialBus:
		return "/dev/serial/by-id/…"
	case NetworkBus:
		return "192.168.1.20:502"
	}
	return ""
}

// Check returns what is wrong with the form of a name, or nil. Whether such a bus exists shows only
// when it is opened.
func (b Bus) Check(name string) error {
	switch b {
	case I2CBus:
		if !filepath.IsAbs(name) || strings.HasPrefix(name, "/dev/tty") || strings.HasPrefix(name, "/dev/serial") {
			return fmt.Errorf("must be the device file of an I2C bus with its whole path, such as %q", b.Example())
		}
	case SerialBus:
		_, err := ParsePort(name)
		return err
	case NetworkBus:
		if p, err := ParsePort(name); err != nil || p.Kind != TCPPort {
			return fmt.Errorf("must be a host and a port, such as %q", b.Example())
		}
	}
	return nil
}

// A USBName is the name of a serial port by its USB adapter, "usb:0403:6001" or
// "usb:0403:6001:FT0001": it stays the same whatever device file the adapter gets.
type USBName struct {
	Vendor, Product string // four lower-case hexadecimal digits
	Serial          string // of the adapter; "" for any
}

var usbName = regexp.MustCompile(`^usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?$`)

// ParseUSBName parses a name as it is in the configuration, and reports whether it has this form.
func ParseUSBName(name string) (USBName, bool) {
	m := usbName.FindStringSubmatch(name)
	if m == nil {
		return USBName{}, false
	}
	return USBName{Vendor: strings.ToLower(m[1]), Product: strings.ToLower(m[2]), Serial: m[3]}, true
}

func (n USBName) String() string {
	s := "usb:" + n.Vendor + ":" + n.Product
	if n.Serial != "" {
		s += ":" + n.Serial
	}
	return s
}
