package chip

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// Addresses returns those from first to last.
func Addresses(first, last int) []int {
	var all []int
	for a := first; a <= last; a++ {
		all = append(all, a)
	}
	return all
}

// CheckAddress returns nil for an address that the chip can have, and an OptionError for the option "address" otherwise.
func CheckAddress(address int, can ...int) error {
	written, err := strconv.ParseInt(strconv.Itoa(address), 16, 32)
	hint := ""
	for _, a := range can {
		if a == address {
			return nil
		}
		if err == nil && int(written) == a {
			hint = fmt.Sprintf("; addresses are hexadecimal: write 0x%d", address)
		}
	}
	return &drivers.OptionError{Key: "address", Err: fmt.Errorf("%#02x; want %s%s", address, listed(can), hint)}
}

// listed returns "0x76 or 0x77", "0x44, 0x45 or 0x46", "0x48 to 0x4f".
func listed(addresses []int) string {
	if last := len(addresses) - 1; last > 3 {
		return fmt.Sprintf("0x%02x to 0x%02x", addresses[0], addresses[last])
	}
	return choice("0x%02x", addresses)
}

// choice returns "1, 2 or 3".
func choice[T any](format string, can []T) string {
	var s strings.Builder
	for i, v := range can {
		switch {
		case i > 0 && i == len(can)-1:
			s.WriteString(" or ")
		case i > 0:
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, format, v)
	}
	return s.String()
}

// CheckOneOf returns nil for a value that an option can have, and an OptionError otherwise.
func CheckOneOf[T comparable](option string, v T, can ...T) error {
	if slices.Contains(can, v) {
		return nil
	}
	return &drivers.OptionError{Key: option, Err: fmt.Errorf("%v; want %s", v, choice("%v", can))}
}

// CheckRange returns nil for a value of an option within limits, and an OptionError otherwise.
func CheckRange(option string, v, low, high float64, unit string) error {
	if v >= low && v <= high {
		return nil
	}
	return &drivers.OptionError{Key: option, Err: fmt.Errorf("%v %s; want %v to %v", v, unit, low, high)}
}
