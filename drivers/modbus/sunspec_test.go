package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// sunspecDevice makes a device of models: number and registers after the length.
func sunspecDevice(base uint16, models ...[]uint16) *modbustest.Unit {
	u := modbustest.NewUnit().Holding(base, 0x5375, 0x6e53)
	at := base + 2
	for _, m := range models {
		u.Holding(at, m[0], uint16(len(m)-1))
		u.Holding(at+2, m[1:]...)
		at += uint16(len(m)) + 1
	}
	return u.Holding(at, 0xffff, 0)
}

// integers returns an inverter model of integers with so many watts, of the factor 10^f.
func integers(number uint16, watts int16, f int16) []uint16 {
	m := make([]uint16, 51)
	for i := range m {
		m[i] = 0xffff
	}
	m[0] = number
	m[14-1], m[15-1] = uint16(watts), uint16(f)
	return m
}

func openTCP(t *testing.T, u *modbustest.Unit, set func(*TCP)) drivers.Driver {
	t.Helper()
	o := SpecTCP.Options().(*TCP)
	set(o)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := SpecTCP.Open(t.Context(), drivertest.OnSerial(drivertest.Device{Answers: func(request []byte) string {
		answer := u.Answer(request[7:])
		return string(append(append(slices.Clone(request[:4]), 0, byte(1+len(answer)), request[6]), answer...))
	}}), "host:502", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func modelInverter(fields ...string) func(*TCP) {
	return func(o *TCP) {
		if err := o.UseProfile("sunspec-inverter"); err != nil {
			panic(err)
		}
		o.Fields = fields
	}
}

func readText(t *testing.T, d drivers.Driver) string {
	t.Helper()
	values, err := d.Read(t.Context())
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, v := range values {
		words = append(words, strings.TrimSuffix(fmt.Sprintf("%#v", v), "(float)"))
	}
	return strings.Join(words, " ")
}

// The list may begin in three places, and behind models that nobody asks for; the same field is an
// integer with a factor, or a float.
func TestModelsAreFound(t *testing.T) {
	floats := append([]uint16{113}, make([]uint16, 60)...)
	floats[22-1], floats[23-1] = 0x42f6, 0xe979 // 123.456
	for name, u := range map[string]*modbustest.Unit{
		"at 40000":    sunspecDevice(40000, append([]uint16{1}, make([]uint16, 66)...), integers(103, -1234, -1)),
		"at 50000":    sunspecDevice(50000, integers(101, -1234, -1)),
		"at 0":        sunspecDevice(0, append([]uint16{64202}, make([]uint16, 9)...), integers(102, -1234, -1)),
		"the first":   sunspecDevice(40000, integers(103, -1234, -1), integers(103, 7, 0)),
		"floats":      sunspecDevice(40000, floats),
		"both, whole": sunspecDevice(40000, floats, integers(103, -1234, -1)),
	} {
		t.Run(name, func(t *testing.T) {
			want := "w=-123.4"
			if name == "floats" {
				want = "w=123.456"
			}
			if got := readText(t, openTCP(t, u, modelInverter("w"))); !strings.HasPrefix(got, want) {
				t.Errorf("want %s, got %s", want, got)
			}
		})
	}
}

// What the device has no model for, or a model that is too short, is not present; what it leaves
// out is not measured. The factor may change, and the list is walked once.
func TestModelsOfAnInverter(t *testing.T) {
	short := append([]uint16{160}, make([]uint16, 8+2*20)...)
	u := sunspecDevice(40000, integers(103, 500, 0), short)
	d := openTCP(t, u, func(o *TCP) {
		modelInverter("w", "apha")(o)
		o.Fields = nil
		mppt := &TCP{}
		if err := mppt.UseProfile("sunspec-mppt"); err != nil {
			t.Fatal(err)
		}
		o.Registers = append(chosen(o.Registers, []string{"w", "apha"}), chosen(mppt.Registers, []string{"module_2_dcv", "module_3_dcv"})...)
		o.Registers = append(o.Registers, Register{Field: "limit", Models: []int{123}, Address: 5})
	})
	if got := readText(t, d); got != "w=500 apha=bad(not measured) module_2_dcv=0 module_3_dcv=bad(not present) limit=bad(not present)" {
		t.Errorf("got %s", got)
	}
	walked := len(u.Requests())
	u.Holding(40002+15, 1)
	if got := readText(t, d); !strings.HasPrefix(got, "w=5000 ") {
		t.Errorf("got %s", got)
	}
	if n := len(u.Requests()) - walked; n > 3 {
		t.Errorf("%d requests for a reading", n)
	}
}

func TestListsOfModelsThatAreWrong(t *testing.T) {
	many := make([][]uint16, maxModels+1)
	for i := range many {
		many[i] = []uint16{uint16(1000 + i), 0}
	}
	for _, tt := range []struct {
		name string
		u    *modbustest.Unit
		want string
	}{
		{"none", modbustest.NewUnit().Holding(40000, 1, 2), `no SunSpec device: none of the holding registers 40000, 50000 and 0 begins with "SunS"`},
		{"ends early", modbustest.NewUnit().Holding(40000, 0x5375, 0x6e53, 103, 10), "the list of SunSpec models breaks off at holding register 40014, after 103: exception 2"},
		{"nothing in it", sunspecDevice(40000), "none of the fields is in the SunSpec models of this device, which are none"},
		{"a meter", sunspecDevice(40000, append([]uint16{203}, make([]uint16, 105)...)), "models of this device, which are 203: use the profile sunspec-meter"},
		{"stands still", modbustest.NewUnit().Holding(40000, 0x5375, 0x6e53, 0, 0), "has no end: at holding register 40002, after none, it goes on with model 0 of 2 registers"},
		{"too far", modbustest.NewUnit().Holding(40000, 0x5375, 0x6e53, 103, 0xfff0), "has no end: at holding register 40002"},
		{"too many", sunspecDevice(40000, many...), "has no end: at holding register 40302, after 1000, 1001, 1002, 1003, 1004 … 1095, 1096, 1097, 1098, 1099 (100 models), it goes on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openTCP(t, tt.u, modelInverter("w"))
			if got := readText(t, d); !strings.Contains(got, tt.want) {
				t.Errorf("want %q, got %s", tt.want, got)
			}
			tt.u.Holding(40000, 0x5375, 0x6e53, 103, 50).Holding(40004, integers(103, 1, 0)[1:]...).Holding(40054, 0xffff, 0)
			if got := readText(t, d); !strings.HasPrefix(got, "w=1") {
				t.Errorf("once it is right: %s", got)
			}
		})
	}
	wrong := openTCP(t, modbustest.NewUnit(), func(o *TCP) {
		if err := o.UseProfile("eastron-sdm120"); err != nil {
			t.Fatal(err)
		}
		o.Profile = "eastron-sdm120"
	})
	if got := readText(t, wrong); !strings.HasSuffix(got, "; if this is not a device of the profile eastron-sdm120, `fieldgate modbus identify` finds the one that fits") {
		t.Errorf("got %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openTCP(t, sunspecDevice(40000), modelInverter("w")).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestModelsInTheConfiguration(t *testing.T) {
	o := SpecTCP.Options().(*TCP)
	o.Registers = []Register{
		{Field: "a", Models: []int{101}, Address: 1},
		{Field: "b", Models: []int{0, 65535}, Address: 2},
		{Field: "c", Models: []int{101}, Address: 2, Table: "input"},
		{Field: "d", Models: []int{101}, Address: 4, Writable: true},
		{Field: "e", Models: []int{101}, Address: 2},
		{Field: "e", Models: []int{102}, Address: 2},
		{Field: "e", Models: []int{101}, Address: 3},
	}
	err := o.Check()
	for _, want := range []string{
		"option registers.0.models: models are in holding registers, and begin with their number and length: want an address from 2",
		"option registers.1.models: want numbers from 1 to 65534",
		"option registers.2.models: models are in holding registers",
		"option registers.3.writable: a register of a model cannot be written",
		`option registers.6.field: "e" is there twice`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "registers.4") || strings.Contains(err.Error(), "registers.5")) {
		t.Errorf("alternatives are refused: %v", err)
	}
}
