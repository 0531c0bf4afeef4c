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
		all[i].Field, all[i].Address = fmt.Sprintf("f%d", i), i*max(1, sizes()[r.Type])
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
		{"overlap", two(Register{Field: "a", Address: 1, Type: "float32"}, Register{Field: "b", Address: 2}),
			"option registers.1: b (holding register 2, uint16) overlaps a (holding registers 1 to 2, float32)"},
		{"same register", two(Register{Field: "a"}, Register{Field: "b", Type: "int16"}), "option registers.1: b (holding register 0, int16) overlaps a"},
		{"same bit", two(Register{Field: "a", Type: "bool", Bit: 2}, Register{Field: "b", Type: "bool", Bit: 2}), "option registers.1: b (holding register 0 bit 2, bool) overlaps a"},
		{"bit of a double register", two(Register{Field: "a", Type: "uint32"}, Register{Field: "b", Type: "bool", Address: 1}), "overlaps a"},
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
