package modbus

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// registers returns a value as the registers of an entry, as they are on the line.
func (e *entry) registers(v drivers.Value) ([]byte, error) {
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return nil, fmt.Errorf("%s takes a number, not a %s", e.Field, v.Kind())
	}
	data := make([]byte, 2*e.size)
	switch {
	case e.class == floatClass && e.size == 2:
		f := e.line.Revert(v.Float())
		if math.Abs(f) > math.MaxFloat32 {
			return nil, fmt.Errorf("%s: %v does not fit a float32", e.Field, v.Any())
		}
		binary.BigEndian.PutUint32(data, math.Float32bits(float32(f)))
	case e.class == floatClass:
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

// integer returns the bits of a value for an entry whose values are whole numbers; false: it does
// not fit.
func (e *entry) integer(v drivers.Value) (uint64, bool) {
	if e.class == bcdClass {
		return e.toBCD(v)
	}
	bits := 16 * e.size
	signed := e.class == signedClass
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

// toBCD returns a value with a decimal digit in each four bits; false: it does not fit.
func (e *entry) toBCD(v drivers.Value) (bits uint64, ok bool) {
	f := math.Round(e.line.Revert(v.Float()))
	digits := 4 * e.size
	if !(f >= 0 && f < math.Pow10(digits)) {
		return 0, false
	}
	n := uint64(f)
	for i := range digits {
		bits |= n % 10 << (4 * i)
		n /= 10
	}
	return bits, true
}
