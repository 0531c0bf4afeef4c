package modbus

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestInvalid(t *testing.T) {
	list := func(n ...float64) []float64 { return n }
	const nine = "\x00\x09\x00\x09\x00\x09\x00\x09"
	tests := []struct {
		name  string
		entry Register
		bad   []string // what is not measured
		good  string   // what is, beside nine
	}{
		{"uint16", Register{Invalid: list(0x8000, 0xffff)}, []string{"\x80\x00", "\xff\xff"}, "\x7f\xff"},
		{"uint16, written negative", Register{Invalid: list(-1)}, []string{"\xff\xff"}, "\x00\x01"},
		{"int16", Register{Type: "int16", Invalid: list(-32768)}, []string{"\x80\x00"}, "\xff\xff"},
		{"int16, written as bits", Register{Type: "int16", Invalid: list(0x8000)}, []string{"\x80\x00"}, "\x7f\xff"},
		{"scaled", Register{Type: "int16", Scale: 0.1, Offset: 5, Invalid: list(0x7fff)}, []string{"\x7f\xff"}, "\x80\x00"},
		{"uint32, low word first", Register{Type: "uint32", WordOrder: "little", Invalid: list(0xfffffffe)}, []string{"\xff\xfe\xff\xff"}, "\xff\xff\xff\xff"},
		{"int32", Register{Type: "int32", Invalid: list(0x7fffffff)}, []string{"\x7f\xff\xff\xff"}, "\x80\x00\x00\x00"},
		{"int64", Register{Type: "int64", Invalid: list(math.MinInt64, math.MaxInt64)},
			[]string{"\x80\x00\x00\x00\x00\x00\x00\x00", "\x7f\xff\xff\xff\xff\xff\xff\xff"}, "\x7f\xff\xff\xff\xff\xff\xff\xfe"},
		{"uint64", Register{Type: "uint64", Invalid: list(-1)}, []string{"\xff\xff\xff\xff\xff\xff\xff\xff"}, "\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{"float32", Register{Type: "float32", Invalid: list(-999.9)}, []string{"\xc4\x79\xf9\x9a"}, "\x44\x79\xf9\x9a"},
		{"float64", Register{Type: "float64", Invalid: list(-1)}, []string{"\xbf\xf0\x00\x00\x00\x00\x00\x00"}, "\x3f\xf0\x00\x00\x00\x00\x00\x00"},
		{"int8", Register{Type: "int8", Bits: []int{8, 15}, Invalid: list(-128)}, []string{"\x80\x00"}, "\x00\x80"},
		{"bits", Register{Bits: []int{4, 7}, Invalid: list(15)}, []string{"\x00\xf0"}, "\xff\x0f"},
		{"bcd16", Register{Type: "bcd16", Invalid: list(0xffff)}, []string{"\xff\xff"}, "\x99\x99"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.entry.Field = "x"
			o := SpecTCP.Options().(*TCP)
			o.Registers = []Register{test.entry}
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			e := &o.settings().entries()[0]
			for _, data := range test.bad {
				if got := fmt.Sprintf("%#v", e.value([]byte(data))); got != "x=bad(not measured)" {
					t.Errorf("% x: want it not measured, got %s", data, got)
				}
			}
			for _, data := range []string{test.good, nine[:len(test.good)]} {
				if got := fmt.Sprintf("%#v", e.value([]byte(data))); strings.Contains(got, "bad") {
					t.Errorf("% x: want a value, got %s", data, got)
				}
			}
		})
	}
}

// The not-implemented values of the SunSpec Information Model Specification, section "Data Types".
func TestSunSpecInvalid(t *testing.T) {
	const bad = "x=bad(not measured)"
	tests := []struct {
		name  string
		entry Register
		data  string
		want  string
	}{
		{"int16", Register{Type: "int16"}, "\x80\x00", bad},
		{"int16, -1", Register{Type: "int16"}, "\xff\xff", "x=-1(int)"},
		{"uint16", Register{}, "\xff\xff", bad},
		{"uint16, 32768", Register{}, "\x80\x00", "x=32768(int)"},
		{"uint16 0, which an acc16 has not accumulated", Register{}, "\x00\x00", "x=0(int)"},
		{"int32", Register{Type: "int32", Scale: 0.1}, "\x80\x00\x00\x00", bad},
		{"uint32", Register{Type: "uint32"}, "\xff\xff\xff\xff", bad},
		{"int64", Register{Type: "int64"}, "\x80\x00\x00\x00\x00\x00\x00\x00", bad},
		{"uint64", Register{Type: "uint64"}, "\xff\xff\xff\xff\xff\xff\xff\xff", bad},
		{"float32", Register{Type: "float32"}, "\x7f\xc0\x00\x00", bad},
		{"string", Register{Type: "string", Length: 2}, "\x00\x00\x00\x00", bad},
		{"string that is empty after a blank", Register{Type: "string", Length: 2}, "\x20\x00\x00\x00", "x=(string)"},
		{"bits of a bitfield16", Register{Bits: []int{0, 3}}, "\xff\xff", bad},
		{"a part of ones", Register{Bits: []int{0, 3}}, "\x00\x0f", "x=15(int)"},
		{"bit of a bitfield16", Register{Type: "bool", Bit: 3}, "\xff\xff", bad},
		{"half", Register{Type: "int8"}, "\xff\xff", bad},
		{"half of ones", Register{Type: "int8"}, "\x00\xff", "x=-1(int)"},
		{"the register's own list instead", Register{Invalid: []float64{0}}, "\xff\xff", "x=65535(int)"},
		{"the register's own list", Register{Invalid: []float64{0}}, "\x00\x00", bad},
		{"none for this register", Register{Invalid: []float64{}}, "\xff\xff", "x=65535(int)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.entry.Field = "x"
			o := SpecRTU.Options().(*RTU)
			o.Registers, o.Invalid = []Register{test.entry}, "sunspec"
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%#v", o.settings().entries()[0].value([]byte(test.data))); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
}

func TestInvalidIsChecked(t *testing.T) {
	tests := []struct {
		entry  Register
		device string
		want   string
	}{
		{Register{Invalid: []float64{65536}}, "", "option registers.0.invalid: 65536 does not fit a uint16; want whole numbers from -32768 to 65535, such as 0xffff"},
		{Register{Invalid: []float64{-32769}}, "", "option registers.0.invalid: -32769 does not fit a uint16"},
		{Register{Type: "int16", Invalid: []float64{0.5}}, "", "option registers.0.invalid: 0.5 does not fit a int16"},
		{Register{Type: "uint8", Invalid: []float64{256}}, "", "option registers.0.invalid: 256 does not fit a uint8; want whole numbers from -128 to 255, such as 0xff"},
		{Register{Bits: []int{4, 7}, Invalid: []float64{16}}, "", "option registers.0.invalid: 16 does not fit the 4 bits; want whole numbers from -8 to 15, such as 0xf"},
		{Register{Type: "uint32", Invalid: []float64{4294967296}}, "", "option registers.0.invalid: 4294967296 does not fit a uint32"},
		{Register{Type: "uint64", Invalid: []float64{1 << 60}}, "", "option registers.0.invalid: 1152921504606846976 cannot be told from its neighbours; of 64 bits, want -1 for ffffffffffffffff, -9223372036854775808 for 8000000000000000, 0x7fffffffffffffff, or a number below 2^53"},
		{Register{Type: "float32", Invalid: []float64{1e39}}, "", "option registers.0.invalid: 1e+39 does not fit a float32"},
		{Register{Type: "bool", Invalid: []float64{1}}, "", "option registers.0.invalid: only numbers have it, not a bool"},
		{Register{Type: "string", Length: 2, Invalid: []float64{0}}, "", "option registers.0.invalid: only numbers have it, not a string"},
		{Register{Table: "coil", Invalid: []float64{1}}, "", "option registers.0.invalid: only numbers have it, not a bool"},
		{Register{}, "sunspecs", `option invalid: "sunspecs"; want sunspec, or a list of numbers on each register`},
	}
	for _, test := range tests {
		test.entry.Field = "x"
		o := SpecRTU.Options().(*RTU)
		o.Registers, o.Invalid = []Register{test.entry}, test.device
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %q\n got %v", test.want, err)
		}
	}
}
