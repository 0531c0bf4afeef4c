package modbus

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/drivers"
)

// bit returns bit i of the data of coils and discrete inputs.
func bit(data []byte, i int) bool { return data[i/8]>>(i%8)&1 != 0 }

// arrange brings the bytes of an entry from the order of the line to high byte first, or back: it
// is its own inverse.
func (e *entry) arrange(data []byte) {
	if e.WordOrder == "little" && e.Type != "string" {
		swapWords(data)
	}
	if e.ByteOrder == "little" {
		for i := 0; i < len(data); i += 2 {
			data[i], data[i+1] = data[i+1], data[i]
		}
	}
}

func swapWords(data []byte) {
	for i, j := 0, len(data)-2; i < j; i, j = i+2, j-2 {
		data[i], data[i+1], data[j], data[j+1] = data[j], data[j+1], data[i], data[i+1]
	}
}

// unsigned reads two, four or eight bytes, high byte first.
func unsigned(data []byte) uint64 {
	var v uint64
	for _, b := range data {
		v = v<<8 | uint64(b)
	}
	return v
}

// value returns the value of an entry in registers, as they are on the line.
func (e *entry) value(registers []byte) drivers.Value {
	if e.class == textClass {
		return e.text(registers)
	}
	var room [8]byte
	data := room[:copy(room[:], registers)]
	e.arrange(data)
	if e.class == floatClass {
		v := float(data)
		if math.IsNaN(v) || slices.Contains(e.absent.floats, v) { // NaN: how devices say that they have no value
			return drivers.Bad(e.Field, notMeasured)
		}
		return drivers.Float(e.Field, e.line.Apply(v))
	}
	all := unsigned(data)
	part := all >> e.low & (math.MaxUint64 >> (64 - e.width))
	if e.absent.of(all, part) {
		return drivers.Bad(e.Field, notMeasured)
	}
	switch e.class {
	case boolClass:
		return drivers.Bool(e.Field, all>>e.Bit&1 != 0)
	case signedClass:
		unused := 64 - e.width
		return e.whole(int64(part<<unused) >> unused)
	case bcdClass:
		n, ok := fromBCD(part)
		if !ok {
			return drivers.Bad(e.Field, "format")
		}
		return e.whole(n)
	}
	if part > math.MaxInt64 {
		if e.kind == drivers.KindFloat {
			return drivers.Float(e.Field, e.line.Apply(float64(part)))
		}
		return drivers.Bad(e.Field, "range")
	}
	return e.whole(int64(part))
}

// notMeasured is the reason of a field for which the device says that it has no value.
const notMeasured = "not measured"

// whole returns a whole number as the value of an entry.
func (e *entry) whole(n int64) drivers.Value {
	if e.kind == drivers.KindFloat {
		return drivers.Float(e.Field, e.line.Apply(float64(n)))
	}
	return drivers.Int(e.Field, n)
}

// fromBCD returns a number with a decimal digit in each four bits; false if one is above 9.
func fromBCD(bits uint64) (n int64, ok bool) {
	for shift := 60; shift >= 0; shift -= 4 {
		digit := bits >> shift & 0xf
		if digit > 9 {
			return 0, false
		}
		n = 10*n + int64(digit)
	}
	return n, true
}

// float reads four or eight bytes, high byte first.
func float(data []byte) float64 {
	if len(data) == 4 {
		return drivers.Float32(math.Float32frombits(uint32(unsigned(data))))
	}
	return math.Float64frombits(unsigned(data))
}

// text returns the value of a string, which ends with a zero or with spaces.
func (e *entry) text(registers []byte) drivers.Value {
	data := slices.Clone(registers)
	e.arrange(data)
	if e.absent.blank && !slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
		return drivers.Bad(e.Field, notMeasured)
	}
	switch e.Characters {
	case "high":
		data = everySecond(data)
	case "low":
		data = everySecond(data[1:])
	}
	s, _, _ := strings.Cut(string(data), "\x00")
	if !utf8.ValidString(s) {
		return drivers.Bad(e.Field, "format")
	}
	return drivers.String(e.Field, strings.TrimRight(s, " "))
}

// everySecond moves the bytes 0, 2, 4 and so on together.
func everySecond(data []byte) []byte {
	n := (len(data) + 1) / 2
	for i := range n {
		data[i] = data[2*i]
	}
	return data[:n]
}

// reversed reports whether a floating-point number makes no sense in the order of words that was
// configured and would in the other one. Zero says nothing, nor does a number that means no value.
func (e *entry) reversed(registers []byte) (got, other float64, yes bool) {
	var room [8]byte
	data := room[:copy(room[:], registers)]
	e.arrange(data)
	got = float(data)
	if slices.Contains(e.absent.floats, got) {
		return 0, 0, false
	}
	swapWords(data)
	other = float(data)
	absurd := got != 0 && (math.Abs(got) < 1e-20 || math.Abs(got) > 1e20)
	return got, other, absurd && math.Abs(other) > 1e-3 && math.Abs(other) < 1e9
}
