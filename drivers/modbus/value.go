package modbus

import (
	"encoding/binary"
	"fmt"
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
	if e.Type == "string" {
		return e.text(registers)
	}
	var room [8]byte
	data := room[:copy(room[:], registers)]
	e.arrange(data)
	raw := unsigned(data)
	switch e.Type {
	case "bool":
		return drivers.Bool(e.Field, raw>>e.Bit&1 != 0)
	case "float32", "float64":
		v := float(data)
		if math.IsNaN(v) { // how devices say that they have no value
			return drivers.Bad(e.Field, "not measured")
		}
		return drivers.Float(e.Field, e.line.Apply(v))
	case "uint16", "uint32", "uint64":
		if e.kind == drivers.KindFloat {
			return drivers.Float(e.Field, e.line.Apply(float64(raw)))
		}
		if raw > math.MaxInt64 {
			return drivers.Bad(e.Field, "range")
		}
		return drivers.Int(e.Field, int64(raw))
	}
	unused := 64 - 8*len(data)
	signed := int64(raw<<unused) >> unused
	if e.kind == drivers.KindFloat {
		return drivers.Float(e.Field, e.line.Apply(float64(signed)))
	}
	return drivers.Int(e.Field, signed)
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
	s, _, _ := strings.Cut(string(data), "\x00")
	if !utf8.ValidString(s) {
		return drivers.Bad(e.Field, "format")
	}
	return drivers.String(e.Field, strings.TrimRight(s, " "))
}

// reversed reports whether a floating-point number makes no sense in the order of words that was
// configured and would in the other one. Zero says nothing.
func (e *entry) reversed(registers []byte) (got, other float64, yes bool) {
	var room [8]byte
	data := room[:copy(room[:], registers)]
	e.arrange(data)
	got = float(data)
	swapWords(data)
	other = float(data)
	absurd := got != 0 && (math.Abs(got) < 1e-20 || math.Abs(got) > 1e20)
	return got, other, absurd && math.Abs(other) > 1e-3 && math.Abs(other) < 1e9
}

// registers returns a value as the registers of an entry, as they are on the line.
func (e *entry) registers(v drivers.Value) ([]byte, error) {
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return nil, fmt.Errorf("%s takes a number, not a %s", e.Field, v.Kind())
	}
	data := make([]byte, 2*e.size)
	switch e.Type {
	case "float32":
		f := e.line.Revert(v.Float())
		if math.Abs(f) > math.MaxFloat32 {
			return nil, fmt.Errorf("%s: %v does not fit a float32", e.Field, v.Any())
		}
		binary.BigEndian.PutUint32(data, math.Float32bits(float32(f)))
	case "float64":
		binary.BigEndian.PutUint64(data, math.Float64bits((v.Float()-e.Offset)/e.Scale))
	default:
		raw, ok := e.integer(v)
		if !ok {
			return nil, fmt.Errorf("%s: %v does not fit a %s", e.Field, v.Any(), e.Type)
		}
		for i := range data {
			data[i] = byte(raw >> (8 * (len(data) - 1 - i)))
		}
	}
	e.arrange(data)
	return data, nil
}

// integer returns the bits of a value for an entry of an integer type; false: it does not fit.
func (e *entry) integer(v drivers.Value) (uint64, bool) {
	bits := 16 * e.size
	signed := strings.HasPrefix(e.Type, "int")
	if v.Kind() == drivers.KindInt && e.kind == drivers.KindInt {
		n := v.Int()
		if signed {
			return uint64(n), n>>(bits-1) == 0 || n>>(bits-1) == -1
		}
		return uint64(n), n >= 0 && (bits == 64 || n>>bits == 0)
	}
	f := math.Round(e.line.Revert(v.Float()))
	low, high := 0.0, math.Ldexp(1, bits)
	if signed {
		low, high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	}
	if !(f >= low && f < high) {
		return 0, false
	}
	if signed {
		return uint64(int64(f)), true
	}
	return uint64(f), true
}
