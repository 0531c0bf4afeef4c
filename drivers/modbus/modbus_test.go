package modbus

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// registers is a map with something of everything.
func registers() []Register {
	return []Register{
		{Field: "voltage", Address: 100, Type: "float32", Unit: "V"},
		{Field: "power", Address: 102, Type: "int32", Scale: 0.1, Unit: "W"},
		{Field: "status", Address: 110},
		{Field: "alarm", Address: 110, Type: "bool", Bit: 3},
		{Field: "set_point", Address: 200, Type: "int16", Scale: 0.5, Offset: -10, Unit: "Cel", Writable: true},
		{Field: "limit", Address: 202, Type: "float32", WordOrder: "little", Writable: true},
		{Field: "name", Address: 300, Type: "string", Length: 4},
		{Field: "energy", Table: "input", Address: 8, Type: "uint64", Unit: "J"},
		{Field: "relay", Table: "coil", Address: 3, Writable: true},
		{Field: "door", Table: "discrete", Address: 17},
	}
}

// meter is a device for this map.
func meter() *modbustest.Unit {
	v := math.Float32bits(230.25)
	return modbustest.NewUnit().
		Holding(100, uint16(v>>16), uint16(v), 0xffff, 0xfb2e, 0, 0, 0, 0, 0, 0, 0x0009).
		Holding(200, 63, 0, 0x0000, 0x4120).
		Holding(300, 0x4d45, 0x5445, 0x5220, 0x0000).
		Input(8, 0, 1, 0, 2).
		Coils(3, true).
		Discrete(17, true)
}

const reading = "[voltage=230.25(float) power=-123.4(float) status=9(int) alarm=true(bool) set_point=21.5(float) limit=10(float) name=METER(string) " +
	"energy=4294967298(int) relay=true(bool) door=true(bool)]"

func text(values []drivers.Value) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("%#v", v))
	}
	return "[" + strings.Join(words, " ") + "]"
}

func onLine(l *modbustest.Line) *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{
		Answers: func(request []byte) string { answer, _ := l.Hears(request); return string(answer) },
		Delay:   time.Millisecond,
	})
}

func rtuOptions(o any) { o.(*RTU).Registers = registers() }

func TestRTU(t *testing.T) {
	drivertest.Suite{
		Spec: SpecRTU, Options: rtuOptions, Checked: true,
		New: func() *drivertest.Buses {
			return onLine(&modbustest.Line{Units: map[byte]*modbustest.Unit{1: meter()}})
		},
	}.Run(t)
}

// On a line that echoes, the answer to a write is the third time that the same frame passes.
func TestRTUWithEcho(t *testing.T) {
	drivertest.Suite{
		Spec: SpecRTU, Options: rtuOptions, Checked: true,
		New: func() *drivertest.Buses {
			return onLine(&modbustest.Line{
				Units: map[byte]*modbustest.Unit{1: meter()},
				Garble: func(request, answer []byte) ([]byte, time.Duration) {
					return append(request[:len(request):len(request)], answer...), 0
				},
			})
		},
	}.Run(t)
}

func TestTCP(t *testing.T) {
	drivertest.Suite{
		Spec: SpecTCP, Options: func(o any) { o.(*TCP).Registers = registers() },
		New: func() *drivertest.Buses {
			units := map[byte]*modbustest.Unit{1: meter()}
			return drivertest.OnSerial(drivertest.Device{
				Answers: func(request []byte) string { return string(modbustest.TCP(units, request)) },
				Delay:   time.Millisecond,
			})
		},
	}.Run(t)
}

func openLine(t *testing.T, l *modbustest.Line, change func(*RTU)) drivers.Driver {
	t.Helper()
	o := SpecRTU.Options().(*RTU)
	o.Registers = registers()
	if change != nil {
		change(o)
	}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := SpecRTU.Open(t.Context(), onLine(l), "port", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := meter()
		d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}, nil)
		values, err := d.Read(t.Context())
		if err != nil || text(values) != reading {
			t.Fatalf("want %s\n got %s, %v", reading, text(values), err)
		}
		want := "[03 00 64 00 04] [03 00 6e 00 01] [03 00 c8 00 01] [03 00 ca 00 02] [03 01 2c 00 04] [04 00 08 00 04] [01 00 03 00 01] [02 00 11 00 01]"
		if got := requests(u); got != want {
			t.Errorf("want the requests %s\n got %s", want, got)
		}
	})
}

func requests(u *modbustest.Unit) string {
	var all []string
	for _, r := range u.Requests() {
		all = append(all, fmt.Sprintf("[% x]", r))
	}
	return strings.Join(all, " ")
}

func TestWriting(t *testing.T) {
	tests := []struct {
		name     string
		multiple bool
		value    drivers.Value
		want     string // the last request, or part of the error
	}{
		{"scaled", false, drivers.Float("set_point", 22), "[06 00 c8 00 40]"},
		{"scaled, an int", false, drivers.Int("set_point", -20), "[06 00 c8 ff ec]"},
		{"scaled, function 16", true, drivers.Float("set_point", 22), "[10 00 c8 00 01 02 00 40]"},
		{"float, low word first", false, drivers.Float("limit", 21.5), "[10 00 ca 00 02 04 00 00 41 ac]"},
		{"coil", false, drivers.Bool("relay", true), "[05 00 03 ff 00]"},
		{"coil off", false, drivers.Bool("relay", false), "[05 00 03 00 00]"},
		{"coil, function 15", true, drivers.Bool("relay", true), "[0f 00 03 00 01 01 01]"},
		{"too large", false, drivers.Float("set_point", 16384), "set_point: 16384 does not fit a int16"},
		{"too large for a float32", false, drivers.Float("limit", 1e39), "limit: 1e+39 does not fit a float32"},
		{"number for a coil", false, drivers.Int("relay", 1), "relay takes true or false, not a int"},
		{"text for a number", false, drivers.String("limit", "10"), "limit takes a number, not a string"},
		{"not writable", false, drivers.Float("voltage", 1), `"voltage" is not a field that can be written; these are: set_point, limit, relay`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := meter()
				d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}, func(o *RTU) { o.WriteMultiple = test.multiple })
				err := d.(drivers.Writer).Write(t.Context(), test.value)
				if err != nil {
					if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "modbus-rtu: unit 1: ") || len(u.Requests()) > 0 {
						t.Errorf("want %q before anything is sent, got %v", test.want, err)
					}
					return
				}
				if got := requests(u); !strings.HasSuffix(got, test.want) {
					t.Errorf("want %s, got %s", test.want, got)
				}
				values, err := d.Read(t.Context())
				if err != nil || !strings.Contains(text(values), fmt.Sprintf("%s=%v(", test.value.Field, test.value.Any())) {
					t.Errorf("want it read back, got %s, %v", text(values), err)
				}
			})
		})
	}
}

func TestExceptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := modbustest.NewUnit().Holding(1, 7)
		l := &modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}
		d := openLine(t, l, func(o *RTU) {
			o.Registers = []Register{{Field: "a", Address: 1}, {Field: "b", Address: 5}, {Field: "c", Table: "input", Address: 1}}
		})
		values, err := d.Read(t.Context())
		if err != nil || text(values) != "[a=7(int) b=bad(exception 2) c=bad(exception 2)]" {
			t.Errorf("want what was refused as bad fields, got %s, %v", text(values), err)
		}
		d = openLine(t, l, func(o *RTU) { o.Registers = []Register{{Field: "b", Address: 40001, Type: "uint32"}} })
		_, err = d.Read(t.Context())
		var e Exception
		want := "modbus-rtu: unit 1: reading holding registers 40001 to 40002: exception 2 (illegal address: the device has not all of these; manuals often count from 1, and holding register 0 is their 40001)"
		if !errors.As(err, &e) || e != 2 || err.Error() != want {
			t.Errorf("want %s\n got %v", want, err)
		}
	})
}

// A reversed word order gives numbers, but not ones that anybody measures.
func TestReversedWordOrderIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &modbustest.Line{Units: map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 0, 0x41ac, 0, 0).Holding(10, 0x41ac, 0)}}
		d := openLine(t, l, func(o *RTU) {
			o.Registers = []Register{{Field: "temperature", Type: "float32"}, {Field: "humidity", Address: 2, Type: "float32"}}
		})
		_, err := d.Read(t.Context())
		want := `modbus-rtu: unit 1: temperature: holding registers 0 to 1 holds 00 00 41 ac, which is 2.356e-41 as a float32 with word_order = "big", and would be 21.5 in the other order: set word_order`
		if err == nil || err.Error() != want {
			t.Errorf("want %s\n got %v", want, err)
		}
		d = openLine(t, l, func(o *RTU) {
			o.Registers = []Register{{Field: "noise", Type: "float32"}, {Field: "temperature", Address: 10, Type: "float32"}, {Field: "zero", Address: 2, Type: "float32"}}
			o.MaxGap = 10
		})
		l.Units[1].Holding(4, 0, 0, 0, 0, 0, 0)
		if _, err := d.Read(t.Context()); err != nil {
			t.Errorf("want a tiny number beside good ones taken as it is, got %v", err)
		}
	})
}
