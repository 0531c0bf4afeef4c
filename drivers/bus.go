package drivers

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A Bus is a kind of bus. The setting `bus` of the configuration names one bus of this kind.
type Bus string

// Kinds of buses, and what the name of one is.
const (
	NoBus      Bus = ""        // the machine itself; there is no name
	I2CBus     Bus = "i2c"     // a device file such as /dev/i2c-1
	SerialBus  Bus = "serial"  // a device file such as /dev/serial/by-id/…, or a USBName
	NetworkBus Bus = "network" // a host and a TCP port, such as 192.168.1.20:502
)

// Example returns an example of the name of a bus of this kind; "" for NoBus.
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

// Check returns an error if name does not have the form of a name of this kind. Whether there is
// such a bus shows when it is opened. The error has no prefix: the caller adds what the name is
// for.
func (b Bus) Check(name string) error {
	switch b {
	case I2CBus:
		if !filepath.IsAbs(name) || strings.HasPrefix(name, "/dev/tty") || strings.HasPrefix(name, "/dev/serial") {
			return fmt.Errorf("must be the device file of an I2C bus with its whole path, such as %q", b.Example())
		}
	case SerialBus:
		if _, ok := ParseUSBName(name); !ok && !filepath.IsAbs(name) || strings.HasPrefix(name, "/dev/i2c-") {
			return fmt.Errorf(`must be a device file of a serial port, with its whole path, such as %q, or an adapter's "usb:VID:PID" or "usb:VID:PID:SERIAL"`, b.Example())
		}
	case NetworkBus:
		host, port, err := net.SplitHostPort(name)
		if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || n == 0 || host == "" {
			return fmt.Errorf("must be a host and a port, such as %q", b.Example())
		}
	}
	return nil
}

// A USBName names a serial port by its USB adapter: "usb:VENDOR:PRODUCT" or
// "usb:VENDOR:PRODUCT:SERIAL", such as "usb:0403:6001:FT0001". It stays the same whatever device
// file the adapter gets.
type USBName struct {
	Vendor, Product string // four lower-case hexadecimal digits each
	Serial          string // serial number of the adapter; "" stands for any
}

var usbName = regexp.MustCompile(`^usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?$`)

// ParseUSBName parses a name as the configuration has it, and reports whether it is a USBName.
// Hexadecimal digits may be upper case.
func ParseUSBName(name string) (USBName, bool) {
	m := usbName.FindStringSubmatch(name)
	if m == nil {
		return USBName{}, false
	}
	return USBName{Vendor: strings.ToLower(m[1]), Product: strings.ToLower(m[2]), Serial: m[3]}, true
}

// String returns the name as the configuration has it.
func (n USBName) String() string {
	s := "usb:" + n.Vendor + ":" + n.Product
	if n.Serial != "" {
		s += ":" + n.Serial
	}
	return s
}
