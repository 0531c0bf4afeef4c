package enrol

import (
	"net"
	"os"
	"strings"
)

// A Board is where the serial number comes from.
type Board struct {
	File       string // of the device tree
	Interfaces func() ([]net.Interface, error)
	Machine    string // what it is called if it has neither
}

// ThisBoard is the board that the program runs on; machine is a hash of its id.
func ThisBoard(machine string) Board {
	return Board{"/sys/firmware/devicetree/base/serial-number", net.Interfaces, machine[:16]}
}

// Serial returns what distinguishes this board from others: the serial number that its firmware
// has, else the address of its first network card that the maker gave one, else the machine's.
func (b Board) Serial() string {
	if text, err := os.ReadFile(b.File); err == nil {
		if s := strings.Trim(string(text), "\x00 \n"); plain(s) {
			return s
		}
	}
	list, err := b.Interfaces()
	if err != nil {
		return b.Machine
	}
	for _, i := range list {
		a := i.HardwareAddr
		if i.Flags&net.FlagLoopback == 0 && len(a) == 6 && a[0]&0x03 == 0 && a.String() != "00:00:00:00:00:00" {
			return strings.ReplaceAll(a.String(), ":", "")
		}
	}
	return b.Machine
}

// plain reports whether a serial number can be part of a thing's name.
func plain(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0") != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}
