package kit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// CheckOneOf returns nil for a value that an option can have, and an OptionError otherwise.
func CheckOneOf[T comparable](option string, v T, can ...T) error {
	if slices.Contains(can, v) {
		return nil
	}
	return &drivers.OptionError{Key: option, Err: fmt.Errorf("%v; want %s", v, Choice("%v", can))}
}

// CheckRange returns nil for a value of an option within limits, and an OptionError otherwise.
func CheckRange(option string, v, low, high float64, unit string) error {
	if v >= low && v <= high {
		return nil
	}
	return &drivers.OptionError{Key: option, Err: fmt.Errorf("%v %s; want %v to %v", v, unit, low, high)}
}

// Choice returns "1, 2 or 3": the values, each in the given format.
func Choice[T any](format string, can []T) string {
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
