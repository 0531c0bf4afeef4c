package modbus

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// sunspec is the word of the device's option invalid.
const sunspec = "sunspec"

// absent has the numbers that mean that there is no value.
type absent struct {
	registers []uint64  // all bits of the registers
	parts     []uint64  // the bits that are the value
	floats    []float64 // of a floating-point number
	blank     bool      // a string without a character
}

// absentOf returns what means no value in an entry: what the entry lists or, if it has no list,
// what the device's option says.
func absentOf(e *entry, device string) absent {
	if e.Invalid == nil {
		if device == sunspec {
			return sunspecAbsent(e)
		}
		return absent{}
	}
	if e.class == floatClass {
		return absent{floats: e.Invalid}
	}
	var a absent
	for _, n := range e.Invalid {
		if bits, ok := bitsOf(n, e.width); ok {
			a.parts = append(a.parts, bits)
		}
	}
	return a
}

// sunspecAbsent returns the not-implemented value of the SunSpec Information Model Specification
// for an entry's type. The 0 of accumulators (acc16, acc32, acc64) is not among them, since a
// counter is a uint here, and most of these may be 0.
func sunspecAbsent(e *entry) absent {
	all := uint64(math.MaxUint64) >> (64 - 16*min(max(e.size, 1), 4))
	switch {
	case e.table.bits():
		return absent{}
	case e.class == textClass:
		return absent{blank: true}
	case e.class == signedClass && !e.part():
		return absent{registers: []uint64{all>>1 + 1}}
	case e.class.whole(), e.class == boolClass:
		return absent{registers: []uint64{all}}
	}
	return absent{} // NaN always means no value
}

// bitsOf returns the bits of a whole number as a register of that width has it, negative ones in
// two's complement; false if it does not fit. Of 64 bits a float64 has the ends exactly: 2^63 is
// what the configuration's 0x7fffffffffffffff becomes.
func bitsOf(n float64, width int) (uint64, bool) {
	switch {
	case n != math.Trunc(n) || n < -math.Ldexp(1, width-1) || n >= math.Ldexp(1, width):
		return 0, false
	case width < 64:
		return uint64(int64(n)) & (1<<width - 1), true
	case n == math.Ldexp(1, 63):
		return math.MaxInt64, true
	}
	return uint64(int64(n)), n == math.MinInt64 || math.Abs(n) <= 1<<53
}

// checkInvalid returns what is wrong with an entry's list.
func (e *entry) checkInvalid() (errs []error) {
	if len(e.Invalid) > 0 && !e.class.number() {
		return []error{fmt.Errorf("only numbers have it, not a %s", e.Type)}
	}
	if e.class == floatClass {
		for _, n := range e.Invalid {
			if e.size == 2 && math.Abs(n) > math.MaxFloat32 {
				errs = append(errs, fmt.Errorf("%v does not fit a float32", n))
			}
		}
		return errs
	}
	what := "a " + e.Type
	if e.Bits != nil {
		what = fmt.Sprintf("the %d bits", e.width)
	}
	for _, n := range e.Invalid {
		if _, ok := bitsOf(n, e.width); ok {
			continue
		}
		if e.width == 64 && n == math.Trunc(n) {
			errs = append(errs, fmt.Errorf("%.0f cannot be told from its neighbours; of 64 bits, want -1 for ffffffffffffffff, -9223372036854775808 for 8000000000000000, 0x7fffffffffffffff, or a number below 2^53", n))
			continue
		}
		shown := strconv.FormatFloat(n, 'f', -1, 64)
		last := uint64(math.MaxUint64) >> (64 - e.width)
		errs = append(errs, fmt.Errorf("%s does not fit %s; want whole numbers from %.0f to %d, such as %#x", shown, what, -math.Ldexp(1, e.width-1), last, last))
	}
	return errs
}

// of reports whether registers, high byte first, hold no value; part are the bits of them that are
// the value.
func (a *absent) of(registers, part uint64) bool {
	return slices.Contains(a.registers, registers) || slices.Contains(a.parts, part)
}
