package modbus

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestPlan(t *testing.T) {
	tests := []struct {
		name      string
		registers []Register
		change    func(*settings)
		want      string
	}{
		{"in a row, of all orders", []Register{{Field: "b", Address: 2, Type: "uint32"}, {Field: "a", Address: 1}, {Field: "c", Address: 4}}, nil, "holding registers 1 to 4"},
		{"a hole", []Register{{Field: "a", Address: 1}, {Field: "b", Address: 3}}, nil, "holding register 1; holding register 3"},
		{"a hole that is read along", []Register{{Field: "a", Address: 1}, {Field: "b", Address: 12}, {Field: "c", Address: 24}}, func(s *settings) { s.maxGap = 10 },
			"holding registers 1 to 12; holding register 24"},
		{"tables", []Register{{Field: "a", Address: 1}, {Field: "b", Table: "input", Address: 2}}, nil, "holding register 1; input register 2"},
		{"bits of a register", []Register{{Field: "a", Address: 1, Type: "bool"}, {Field: "b", Address: 1, Type: "bool", Bit: 1}, {Field: "c", Address: 1}}, nil, "holding register 1"},
		{"125", row(126, Register{}), nil, "holding registers 0 to 124; holding register 125"},
		{"max_read, nothing torn", row(4, Register{Type: "float32"}), func(s *settings) { s.maxRead = 5 }, "holding registers 0 to 3; holding registers 4 to 7"},
		{"value and factor", []Register{{Field: "a", Address: 1, ScaleRegister: new(2)}}, nil, "holding registers 1 to 2"},
		{"factor before", []Register{{Field: "a", Address: 5, ScaleRegister: new(3)}}, func(s *settings) { s.maxGap = 1 }, "holding registers 3 to 5"},
		{"factor far away", []Register{{Field: "a", Address: 1, ScaleRegister: new(9)}}, nil, "holding register 1; holding register 9"},
		{"factor of several", []Register{{Field: "a", Address: 1, ScaleRegister: new(3)}, {Field: "b", Address: 2, ScaleRegister: new(3)}}, nil, "holding registers 1 to 3"},
		{"factor that is a field", []Register{{Field: "a", Address: 1, ScaleRegister: new(9)}, {Field: "sf", Address: 9, Type: "int16"}}, nil, "holding register 1; holding register 9"},
		{"pair not torn by max_read", append(row(4, Register{}), Register{Field: "p", Address: 4, ScaleRegister: new(5)}), func(s *settings) { s.maxRead = 5 },
			"holding registers 0 to 3; holding registers 4 to 5"},
		{"pair with fields between, not torn", append(row(4, Register{}), Register{Field: "p", Address: 4, ScaleRegister: new(6)}, Register{Field: "q", Address: 5}), func(s *settings) { s.maxRead = 5 },
			"holding registers 0 to 3; holding registers 4 to 6"},
		{"pair larger than max_read", append(row(6, Register{}), Register{Field: "p", Address: 6, ScaleRegister: new(0)}), func(s *settings) { s.maxRead = 5 },
			"holding registers 0 to 4; holding registers 5 to 6"},
		{"2000 coils", row(2001, Register{Table: "coil"}), nil, "coils 0 to 1999; coil 2000"},
		{"coils of a device with few", row(20, Register{Table: "discrete"}), func(s *settings) { s.maxRead, s.maxReadBits = 2, 16 }, "discrete inputs 0 to 15; discrete inputs 16 to 19"},
		{"one request per field", []Register{{Field: "a", Type: "uint32"}, {Field: "b", Address: 2}, {Field: "c", Address: 2, Type: "bool"}, {Field: "d", Address: 3}, {Field: "e", Table: "coil"}, {Field: "f", Table: "coil", Address: 1}},
			func(s *settings) { s.oneRequest, s.maxGap = true, 10 }, "holding registers 0 to 1; holding register 2; holding register 3; coil 0; coil 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := SpecRTU.Options().(*RTU)
			o.Registers = test.registers
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			s := o.settings()
			if test.change != nil {
				test.change(s)
			}
			var got []string
			for _, b := range s.plan(s.entries()) {
				got = append(got, b.place())
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("want %s, got %s", test.want, strings.Join(got, "; "))
			}
		})
	}
}

// row returns n registers, each after the other.
func row(n int, r Register) []Register {
	all := make([]Register, n)
	for i := range all {
		all[i] = r
		all[i].Field, all[i].Address = fmt.Sprintf("f%d", i), i*max(1, formOf(r.Type).size)
	}
	return all
}

func TestValues(t *testing.T) {
	tests := []struct {
		name  string
		entry Register
		data  string
		want  string
	}{
		{"uint16", Register{}, "\xff\xfe", "x=65534(int)"},
		{"int16", Register{Type: "int16"}, "\xff\xfe", "x=-2(int)"},
		{"bytes swapped", Register{ByteOrder: "little"}, "\x01\x02", "x=513(int)"},
		{"scaled", Register{Type: "int16", Scale: 0.1}, "\xff\x38", "x=-20(float)"},
		{"offset", Register{Offset: -40}, "\x00\x32", "x=10(float)"},
		{"uint32 ABCD", Register{Type: "uint32"}, "\x01\x02\x03\x04", "x=16909060(int)"},
		{"uint32 CDAB", Register{Type: "uint32", WordOrder: "little"}, "\x03\x04\x01\x02", "x=16909060(int)"},
		{"uint32 BADC", Register{Type: "uint32", ByteOrder: "little"}, "\x02\x01\x04\x03", "x=16909060(int)"},
		{"uint32 DCBA", Register{Type: "uint32", ByteOrder: "little", WordOrder: "little"}, "\x04\x03\x02\x01", "x=16909060(int)"},
		{"int32", Register{Type: "int32"}, "\xff\xff\xff\xff", "x=-1(int)"},
		{"int64", Register{Type: "int64"}, "\x80\x00\x00\x00\x00\x00\x00\x00", "x=-9223372036854775808(int)"},
		{"int64 low word first", Register{Type: "int64", WordOrder: "little"}, "\x00\x04\x00\x03\x00\x02\x00\x01", "x=281483566841860(int)"},
		{"uint64", Register{Type: "uint64"}, "\x00\x00\x00\x00\x00\x00\x00\x07", "x=7(int)"},
		{"uint64 too large for an int", Register{Type: "uint64"}, "\xff\x00\x00\x00\x00\x00\x00\x07", "x=bad(range)"},
		{"float32", Register{Type: "float32"}, "\x41\xac\x00\x00", "x=21.5(float)"},
		{"float32 scaled", Register{Type: "float32", Scale: 1000}, "\x41\xac\x00\x00", "x=21500(float)"},
		{"NaN", Register{Type: "float32"}, "\x7f\xc0\x00\x00", "x=bad(not measured)"},
		{"infinity", Register{Type: "float32"}, "\x7f\x80\x00\x00", "x=bad(range)"},
		{"float64", Register{Type: "float64"}, "\x40\x35\x80\x00\x00\x00\x00\x00", "x=21.5(float)"},
		{"bit 15", Register{Type: "bool", Bit: 15}, "\x80\x00", "x=true(bool)"},
		{"bit 0", Register{Type: "bool"}, "\xff\xfe", "x=false(bool)"},
		{"string", Register{Type: "string", Length: 3}, "AB \x00?\xff", "x=AB(string)"},
		{"string, bytes swapped", Register{Type: "string", Length: 2, ByteOrder: "little"}, "BADC", "x=ABCD(string)"},
		{"string that is none", Register{Type: "string", Length: 1}, "\xff\xfe", "x=bad(format)"},
		{"string in the low bytes", Register{Type: "string", Length: 4, Characters: "low"}, "\x00A\x00B\x00 \x00\x00", "x=AB(string)"},
		{"string in the high bytes", Register{Type: "string", Length: 3, Characters: "high"}, "A\x00B\x00C\x00", "x=ABC(string)"},
		{"string in the low bytes, swapped", Register{Type: "string", Length: 2, Characters: "low", ByteOrder: "little"}, "A\x00B\x00", "x=AB(string)"},
		{"bcd16", Register{Type: "bcd16"}, "\x12\x34", "x=1234(int)"},
		{"bcd16 scaled", Register{Type: "bcd16", Scale: 0.1}, "\x02\x31", "x=23.1(float)"},
		{"bcd16 that is none", Register{Type: "bcd16"}, "\x12\x3a", "x=bad(format)"},
		{"bcd32", Register{Type: "bcd32"}, "\x12\x34\x56\x78", "x=12345678(int)"},
		{"bcd32 low word first", Register{Type: "bcd32", WordOrder: "little"}, "\x56\x78\x12\x34", "x=12345678(int)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.entry.Field = "x"
			o := SpecRTU.Options().(*RTU)
			o.Registers = []Register{test.entry}
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			e := &o.settings().entries()[0]
			v := e.value([]byte(test.data))
			if got := fmt.Sprintf("%#v", v); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
			if v.Kind() == drivers.KindFloat || v.Kind() == drivers.KindInt { // and back
				if data, err := e.registers(v); err != nil || string(data) != test.data {
					t.Errorf("want % x written, got % x, %v", test.data, data, err)
				}
			}
		})
	}
}

// Parts of registers can be read, not written.
func TestPartsOfRegisters(t *testing.T) {
	tests := []struct {
		name  string
		entry Register
		data  string
		want  string
	}{
		{"uint8 low", Register{Type: "uint8"}, "\x12\xfe", "x=254(int)"},
		{"uint8 high", Register{Type: "uint8", Bits: []int{8, 15}}, "\xfe\x12", "x=254(int)"},
		{"int8 low", Register{Type: "int8"}, "\x12\xfe", "x=-2(int)"},
		{"int8 high", Register{Type: "int8", Bits: []int{8, 15}}, "\xfe\x12", "x=-2(int)"},
		{"int8 high, bytes swapped", Register{Type: "int8", Bits: []int{8, 15}, ByteOrder: "little"}, "\x12\xfe", "x=-2(int)"},
		{"int8 scaled", Register{Type: "int8", Scale: 0.5}, "\x00\xfb", "x=-2.5(float)"},
		{"bits", Register{Bits: []int{4, 7}}, "\xff\xaf", "x=10(int)"},
		{"one bit", Register{Bits: []int{15, 15}}, "\x80\x00", "x=1(int)"},
		{"all bits", Register{Bits: []int{0, 15}}, "\x80\x01", "x=32769(int)"},
		{"signed bits", Register{Type: "int16", Bits: []int{4, 15}}, "\xff\xe7", "x=-2(int)"},
		{"bits of two registers", Register{Type: "uint32", Bits: []int{12, 19}}, "\xff\xfa\xbf\xff", "x=171(int)"},
		{"bits of two registers, low word first", Register{Type: "uint32", Bits: []int{12, 19}, WordOrder: "little"}, "\xbf\xff\xff\xfa", "x=171(int)"},
		{"bits of four registers", Register{Type: "uint64", Bits: []int{0, 63}}, "\x00\x00\x00\x00\x00\x00\x00\x07", "x=7(int)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.entry.Field = "x"
			o := SpecRTU.Options().(*RTU)
			o.Registers = []Register{test.entry}
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%#v", o.settings().entries()[0].value([]byte(test.data))); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	one := func(r Register) func(*RTU) { return func(o *RTU) { o.Registers = []Register{r} } }
	two := func(a, b Register) func(*RTU) { return func(o *RTU) { o.Registers = []Register{a, b} } }
	tests := []struct {
		name   string
		change func(*RTU)
		want   string
	}{
		{"no registers", func(o *RTU) { o.Registers = nil }, "option registers: there are none"},
		{"broadcast", func(o *RTU) { o.UnitID = 0 }, "option unit_id: 0 is for all devices of the line, and none answers; want 1 to 255"},
		{"unit", func(o *RTU) { o.UnitID = 256 }, "option unit_id: 256; want 1 to 255"},
		{"timeout", func(o *RTU) { o.Timeout = time.Minute }, "option timeout: 1m0s; want 10ms to 10s"},
		{"max_gap", func(o *RTU) { o.MaxGap = 125 }, "option max_gap"},
		{"max_read", func(o *RTU) { o.MaxRead = 126 }, "option max_read: 126 registers"},
		{"max_read_bits", func(o *RTU) { o.MaxReadBits = 2001 }, "option max_read_bits: 2001; want 1 to 2000"},
		{"byte order", func(o *RTU) { o.ByteOrder = "ABCD" }, `option byte_order: "ABCD"; want big or little`},
		{"baud", func(o *RTU) { o.Baud = 0 }, "option baud: 0"},
		{"parity", func(o *RTU) { o.Parity = "mark" }, `option parity: "mark"`},
		{"stop bits", func(o *RTU) { o.StopBits = 3 }, "option stop_bits: 3"},
		{"gap", func(o *RTU) { o.Gap = -1 }, "option gap"},
		{"RS-485 level", func(o *RTU) { o.RS485Level = "on" }, "option rs485_level"},
		{"RS-485 delay", func(o *RTU) { o.RS485, o.RS485After = true, time.Microsecond }, "option rs485_after: 1µs; want whole milliseconds"},
		{"RS-485 delay without it", func(o *RTU) { o.RS485Before = time.Millisecond }, "option rs485_before: it is for rs485 = true"},
		{"name", one(Register{Field: "Power"}), `option registers.0.field: "Power" is not a lower-case name`},
		{"table", one(Register{Field: "a", Table: "register"}), `option registers.0.table: "register" is none of holding, input, coil, discrete`},
		{"type", one(Register{Field: "a", Type: "float"}), `option registers.0.type: "float" is none of uint16`},
		{"coil as a number", one(Register{Field: "a", Table: "coil", Type: "uint16"}), "option registers.0.type: a coil is a bool, not a uint16"},
		{"bit", one(Register{Field: "a", Type: "bool", Bit: 16}), "option registers.0.bit: 16; want 0 to 15"},
		{"bit of a number", one(Register{Field: "a", Bit: 1}), "option registers.0.bit: only a bool in a register has one"},
		{"string without length", one(Register{Field: "a", Type: "string"}), "option registers.0.length: 0 registers; want 1 to 125"},
		{"length of a number", one(Register{Field: "a", Length: 2}), "option registers.0.length: only a string has one"},
		{"type larger than max_read", func(o *RTU) { o.MaxRead = 1; one(Register{Field: "a", Type: "float32"})(o) }, "option registers.0.type: a float32 has 2 registers, and max_read allows 1"},
		{"address", one(Register{Field: "a", Address: 65535, Type: "uint32"}), "option registers.0.address: holding registers 65535 to 65536: addresses are from 0"},
		{"negative address", one(Register{Field: "a", Address: -1}), "option registers.0.address"},
		{"order", one(Register{Field: "a", WordOrder: "low"}), `option registers.0.word_order: "low"`},
		{"scale", one(Register{Field: "a", Scale: math.Inf(1)}), "option registers.0.scale"},
		{"scale of a bool", one(Register{Field: "a", Type: "bool", Scale: 2}), "option registers.0: a bool has no scale"},
		{"writable input", one(Register{Field: "a", Table: "input", Writable: true}), "option registers.0.writable: a input register cannot be written"},
		{"writable bit", one(Register{Field: "a", Type: "bool", Writable: true}), "option registers.0.writable: only a whole holding register"},
		{"field twice", two(Register{Field: "a"}, Register{Field: "a", Address: 7}), `option registers.1.field: "a" is there twice: holding register 0 and holding register 7`},
		{"overlap", two(Register{Field: "a", Address: 1, Type: "float32"}, Register{Field: "b", Address: 2, Type: "float32"}),
			"option registers.1: b (holding registers 2 to 3, float32) overlaps a (holding registers 1 to 2, float32) in part: one address or type is wrong"},
		{"same register", two(Register{Field: "a"}, Register{Field: "b", Type: "uint16", Table: "holding"}), "option registers.1: b (holding register 0, uint16) is the same as a: leave one out"},
		{"same half", two(Register{Field: "a", Type: "uint8"}, Register{Field: "b", Type: "uint8", Bits: []int{0, 7}}), "is the same as a"},
		{"same coil", two(Register{Field: "a", Table: "coil"}, Register{Field: "b", Table: "coil"}), "option registers.1: b (coil 0, bool) is the same as a"},
		{"same bit", two(Register{Field: "a", Type: "bool", Bit: 2}, Register{Field: "b", Type: "bool", Bit: 2}), "option registers.1: b (holding register 0 bit 2, bool) is the same as a: leave one out"},
		{"bits in the wrong order", one(Register{Field: "a", Bits: []int{15, 8}}), "option registers.0.bits: [15, 8]; want the lowest bit first: [8, 15]"},
		{"one number for bits", one(Register{Field: "a", Bits: []int{8}}), "option registers.0.bits: [8]; want the lowest and the highest bit, such as [8, 15]"},
		{"bits beyond the register", one(Register{Field: "a", Bits: []int{8, 16}}), "option registers.0.bits: [8, 16]; a uint16 has bits 0 to 15"},
		{"bits below the register", one(Register{Field: "a", Type: "uint32", Bits: []int{-1, 3}}), "option registers.0.bits: [-1, 3]; a uint32 has bits 0 to 31"},
		{"too many bits", one(Register{Field: "a", Type: "uint8", Bits: []int{4, 12}}), "option registers.0.bits: [4, 12] are 9 bits; a uint8 has 8, such as [0, 7] or [8, 15]"},
		{"bits of a float", one(Register{Field: "a", Type: "float32", Bits: []int{0, 7}}), "option registers.0.bits: a float32 has none: only integers have"},
		{"bits of a bool", one(Register{Field: "a", Type: "bool", Bits: []int{3, 3}}), "option registers.0.bits: a bool has none: write bit = 3"},
		{"writable bits", one(Register{Field: "a", Bits: []int{0, 7}, Writable: true}), "option registers.0.writable: a part of a register cannot be written: the other bits would be overwritten"},
		{"writable half", one(Register{Field: "a", Type: "int8", Writable: true}), "option registers.0.writable: a part of a register cannot be written"},
		{"characters", one(Register{Field: "a", Type: "string", Length: 2, Characters: "odd"}), `option registers.0.characters: "odd"; want both, low or high`},
		{"characters of a number", one(Register{Field: "a", Characters: "low"}), "option registers.0.characters: only a string has them"},
		{"OK bit of a double register", two(Register{Field: "a", Type: "uint32"}, Register{Field: "b", Type: "bool", Address: 1}), ""},
		{"OK two readings of a register", two(Register{Field: "a"}, Register{Field: "b", Type: "int16"}), ""},
		{"OK two scales", two(Register{Field: "a"}, Register{Field: "b", Scale: 0.1}), ""},
		{"OK two halves", two(Register{Field: "a", Type: "uint8"}, Register{Field: "b", Type: "uint8", Bits: []int{8, 15}}), ""},
		{"OK a register of a string", two(Register{Field: "a", Type: "string", Length: 4}, Register{Field: "b", Address: 2}), ""},
		{"OK writable bcd", one(Register{Field: "a", Type: "bcd32", Writable: true}), ""},
		{"OK other table", two(Register{Field: "a"}, Register{Field: "b", Table: "input"}), ""},
		{"OK bits and the whole", two(Register{Field: "a"}, Register{Field: "b", Type: "bool", Bit: 2}), ""},
		{"OK", rtuDefaults, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := SpecRTU.Options().(*RTU)
			o.Registers = registers()
			test.change(o)
			err := o.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
	tcp := SpecTCP.Options().(*TCP)
	tcp.Registers, tcp.UnitID = registers(), 256
	if err := tcp.Check(); err == nil || !strings.Contains(err.Error(), "option unit_id: 256; want 0 to 255") {
		t.Errorf("got %v", err)
	}
}

func rtuDefaults(*RTU) {}
