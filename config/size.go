package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Size is a number of bytes, in files written "64KiB", "256MiB" or "1GiB" (or with KB, MB, GB for
// powers of 1000).
type Size int64

var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a size.
func ParseSize(s string) (Size, error) {
	number, factor := strings.TrimSpace(s), 1.0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), math.IsNaN(f), f < 0:
		return 0, fmt.Errorf("%q is not a size: write a number and KiB, MiB or GiB, such as \"256MiB\"", s)
	case f*factor > 1<<53:
		return 0, fmt.Errorf("%q is too large for a size: the maximum is 8192TiB", s)
	}
	return Size(f * factor), nil
}

// Rounded shows the size in its largest binary unit, with one decimal.
func (s Size) Rounded() string {
	for i := 3; i >= 0; i-- {
		if u := sizeUnits[i]; float64(s) >= u.factor {
			return strconv.FormatFloat(float64(s)/u.factor, 'f', 1, 64) + " " + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + " B"
}

// String shows the size in its largest binary unit, or a decimal one if it is a whole number of
// those alone.
func (s Size) String() string {
	units := sizeUnits[:4]
	if s%1000 == 0 && s%1024 != 0 {
		units = sizeUnits[4:8]
	}
	for _, u := range slices.Backward(units) {
		if float64(s) >= u.factor {
			return strconv.FormatFloat(float64(s)/u.factor, 'f', -1, 64) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
