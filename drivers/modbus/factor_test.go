package modbus

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// sunspecInverter is a part of model 103 with its factors: beside the values, and far away.
func sunspecInverter() []Register {
	return []Register{
		{Field: "current", Address: 72, Scale: 1, ScaleRegister: new(76), Unit: "A"},
		{Field: "current_l1", Address: 73, ScaleRegister: new(76), Unit: "A"},
		{Field: "power", Address: 84, Type: "int16", ScaleRegister: new(85), Unit: "W"},
		{Field: "energy", Address: 94, Type: "uint32", Scale: 3600, ScaleRegister: new(96), Unit: "J"},
		{Field: "temperature", Address: 103, Type: "int16", ScaleRegister: new(107), Unit: "Cel"},
	}
}

func inverter() *modbustest.Unit {
	const minus1, minus2 = 0xffff, 0xfffe
	return modbustest.NewUnit().
		Holding(72, 23773, 7924, 0, 0, minus2).
		Holding(84, 0xfb2e, minus1).
		Holding(94, 0x0001, 0x0002, 1).
		Holding(103, 425, 0, 0, 0, minus1)
}

func TestScaleRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := inverter()
		d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}, func(o *RTU) { o.Registers = sunspecInverter() })
		check := func(want string) {
			t.Helper()
			values, err := d.Read(t.Context())
			if got := text(values); err != nil || got != want {
				t.Errorf("want %s\n got %s, %v", want, got, err)
			}
		}
		check("[current=237.73(float) current_l1=79.24(float) power=-123.4(float) energy=2.359368e+09(float) temperature=42.5(float)]")
		want := "[03 00 48 00 02] [03 00 4c 00 01] [03 00 54 00 02] [03 00 5e 00 03] [03 00 67 00 01] [03 00 6b 00 01]"
		if got := requests(u); got != want {
			t.Errorf("want the requests %s\n got %s", want, got)
		}
		u.Holding(76, 0xfff6).Holding(85, 0).Holding(96, 10) // 10 to the power of -10, 0 and 10
		check("[current=2.3773e-06(float) current_l1=7.924e-07(float) power=-1234(float) energy=2.359368e+18(float) temperature=42.5(float)]")
		u.Holding(76, 0x8000).Holding(85, 11).Holding(107, 0xfff5) // none, and no exponents
		check("[current=bad(not measured) current_l1=bad(not measured) power=bad(scale factor) energy=2.359368e+18(float) temperature=bad(scale factor)]")
		u.Holding(76, 0xfffe).Holding(85, 0xffff).Holding(96, 1).Holding(107, 0xffff)
		check("[current=237.73(float) current_l1=79.24(float) power=-123.4(float) energy=2.359368e+09(float) temperature=42.5(float)]")
	})
}

// A value and its factor come with the same request if the options allow that.
func TestValueAndFactorAreOfOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := inverter().Holding(77, 0, 0, 0, 0, 0, 0, 0).Holding(86, 0, 0, 0, 0, 0, 0, 0, 0).Holding(97, 0, 0, 0, 0, 0, 0)
		exponent := uint16(0)
		l := &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}
		d := openLine(t, l, func(o *RTU) { o.Registers, o.MaxGap, o.MaxRead = sunspecInverter(), 20, 20 })
		for range 6 { // the device changes factor and value between any two requests
			u.Holding(72, 5, 5).Holding(76, exponent).Holding(84, 5, exponent).Holding(94, 0, 5, exponent).Holding(103, 5, 0, 0, 0, exponent)
			if _, err := d.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
			exponent++
		}
		want := "[03 00 48 00 0e] [03 00 5e 00 0e] "
		if got := requests(u); !strings.HasPrefix(got, want) {
			t.Errorf("want the requests %s\n got %s", want, got)
		}
	})
}

// Decoding numbers allocates nothing, also while factors change.
func TestDecodingAllocatesNothing(t *testing.T) {
	o := SpecTCP.Options().(*TCP)
	o.Registers, o.MaxGap, o.Invalid = append(sunspecInverter(), Register{Field: "half", Address: 73, Type: "int8", Invalid: []float64{0}}), 40, sunspec
	s := o.settings()
	d := &dev{settings: s, entries: s.entries(), values: make([]drivers.Value, len(o.Registers))}
	d.blocks = s.plan(d.entries)
	factor := d.blocks[0].data[2*(76-d.blocks[0].start)+1:]
	if allocs := testing.AllocsPerRun(100, func() {
		factor[0] = (factor[0] + 1) % 10
		for i := range d.blocks {
			if err := d.decode(&d.blocks[i]); err != nil {
				t.Fatal(err)
			}
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestRefusedFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := modbustest.NewUnit().Holding(1, 7, 8)
		d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}, func(o *RTU) {
			o.Registers = []Register{{Field: "a", Address: 1, ScaleRegister: new(50)}, {Field: "b", Address: 2}}
		})
		values, err := d.Read(t.Context())
		if want := "[a=bad(exception 2) b=8(int)]"; err != nil || text(values) != want {
			t.Errorf("want %s, got %s, %v", want, text(values), err)
		}
	})
}

// A set point with a factor is written with the factor that the device has at that moment.
func TestWritingWithAFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := modbustest.NewUnit().Holding(1, 1000, 0xffff)
		d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}, func(o *RTU) {
			o.Registers = []Register{{Field: "limit", Address: 1, ScaleRegister: new(2), Writable: true}}
		})
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		u.Holding(2, 0xfffe)
		write := func(v float64) error { return d.(drivers.Writer).Write(t.Context(), drivers.Float("limit", v)) }
		if err := write(55.5); err != nil || u.HoldingAt(1) != 5550 {
			t.Errorf("want 5550 written, got %d, %v", u.HoldingAt(1), err)
		}
		if err := write(700); err == nil || !strings.Contains(err.Error(), "limit: 700 does not fit a uint16") {
			t.Errorf("got %v", err)
		}
		u.Holding(2, 0x8000)
		if err := write(1); err == nil || !strings.Contains(err.Error(), "modbus-rtu: unit 1: limit cannot be written: its scale factor (holding register 2) is not known: not measured") {
			t.Errorf("got %v", err)
		}
	})
}

func TestScaleRegisterIsChecked(t *testing.T) {
	tests := []struct {
		entry Register
		want  string
	}{
		{Register{ScaleRegister: new(65536)}, "option registers.0.scale_register: 65536; addresses are from 0 to 65535"},
		{Register{ScaleRegister: new(-1)}, "option registers.0.scale_register: -1; addresses are from 0 to 65535"},
		{Register{Type: "float32", ScaleRegister: new(9)}, "option registers.0.scale_register: a float32 has none: only integers and BCD have"},
		{Register{Type: "bool", ScaleRegister: new(9)}, "option registers.0.scale_register: a bool has none"},
		{Register{Type: "string", Length: 2, ScaleRegister: new(9)}, "option registers.0.scale_register: a string has none"},
		{Register{Table: "coil", ScaleRegister: new(9)}, "option registers.0.scale_register: a bool has none"},
		{Register{Type: "uint32", Address: 4, ScaleRegister: new(5)}, "option registers.0.scale_register: 5 is one of the value's own registers (holding registers 4 to 5)"},
	}
	for _, test := range tests {
		test.entry.Field = "x"
		o := SpecRTU.Options().(*RTU)
		o.Registers = []Register{test.entry}
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %q\n got %v", test.want, err)
		}
	}
}
