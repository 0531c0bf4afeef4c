package modbus

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// float32s returns numbers as registers.
func float32s(numbers ...float32) []uint16 {
	var all []uint16
	for _, n := range numbers {
		b := binary.BigEndian.AppendUint32(nil, math.Float32bits(n))
		all = append(all, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	}
	return all
}

// likeAProfile makes a device that has the registers of a profile, with the mains in those that
// show it.
func likeAProfile(t *testing.T, name string, mains map[uint16]float32) *modbustest.Unit {
	t.Helper()
	o := SpecTCP.Options().(*TCP)
	if err := o.UseProfile(name); err != nil {
		t.Fatal(err)
	}
	u, _ := simulate(t, o)
	for address, n := range mains {
		u.Input(address, float32s(n)...)
	}
	return u
}

// TestIdentify: five devices on one line, a sixth that is none of the library, and an address where
// nobody is.
func TestIdentify(t *testing.T) {
	phase := map[uint16]float32{0: 231.5, 0x46: 49.98}
	three := map[uint16]float32{0: 231.5, 2: 229.1, 4: 0, 0x46: 49.98}
	units := map[byte]*modbustest.Unit{
		1: likeAProfile(t, "eastron-sdm630", three),
		2: likeAProfile(t, "eastron-sdm120", phase),
		3: likeAProfile(t, "eastron-sdm230", phase),
		4: likeAProfile(t, "eastron-sdm72-v2", three),
		5: sunspecDevice(40000, sunspecMains()),
		6: modbustest.NewUnit().Holding(0, 1, 2, 3, 4).Input(0, float32s(1e9, 5)...),
	}
	want := map[byte][]string{1: {"eastron-sdm630"}, 2: {"eastron-sdm120"}, 3: {"eastron-sdm220", "eastron-sdm230"}, 4: {"eastron-sdm72-v2"}, 5: {"sunspec-inverter"}, 6: nil}
	for unit, names := range want {
		synctest.Test(t, func(t *testing.T) {
			o := SpecRTU.Options().(*RTU)
			o.UnitID = int(unit)
			p := lineOf(t, units)
			matches, err := IdentifyRTU(t.Context(), p, *o)
			if err != nil {
				t.Fatal(err)
			}
			var best []string
			for _, m := range matches {
				if m.Score == matches[0].Score && m.Fields == matches[0].Fields {
					best = append(best, m.Profile)
				}
			}
			if !slices.Equal(best, names) {
				t.Errorf("unit %d: want %v, got %+v", unit, names, matches)
			}
			for _, u := range units {
				for _, q := range u.Requests() {
					if q[0] > 4 {
						t.Fatalf("function %d was used", q[0])
					}
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		o := SpecRTU.Options().(*RTU)
		o.UnitID = 9
		if m, err := IdentifyRTU(t.Context(), lineOf(t, units), *o); err == nil || !strings.Contains(err.Error(), "no answer within") {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}

func sunspecMains() []uint16 {
	m := integers(103, 500, 0)
	m[10-1], m[13-1] = 2301, 0xffff // phvpha, one decimal
	m[16-1], m[17-1] = 5001, 0xfffe // hz, two decimals
	return m
}

// lineOf returns a port to a line with units.
func lineOf(t *testing.T, units map[byte]*modbustest.Unit) drivers.Port {
	t.Helper()
	l := &modbustest.Line{Units: units}
	buses := drivertest.OnSerial(drivertest.Device{Answers: func(request []byte) string {
		answer, _ := l.Hears(request)
		return string(answer)
	}})
	p, err := buses.Port(t.Context(), "line", drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhatSpeaksForAProfile has the values of a device against a profile of a few registers.
func TestWhatSpeaksForAProfile(t *testing.T) {
	least, most := 4500.0, 6500.0
	p := Profile{Name: "p",
		Registers: []Register{{Field: "frequency", Unit: "Hz"}, {Field: "voltage_l1", Unit: "V"}, {Field: "voltage_l2", Unit: "V"}, {Field: "serial"}},
		Identify:  []Trait{{Equals: []any{int64(17), int64(18)}}, {Min: &least, Max: &most}, {Equals: []any{"SDM"}}},
	}
	good := []drivers.Value{drivers.Float("frequency", 50), drivers.Float("voltage_l1", 230), drivers.Float("voltage_l2", 0), drivers.String("serial", "7"),
		drivers.Int("trait_0", 18), drivers.Int("trait_1", 5000), drivers.String("trait_2", "SDM")}
	if m, fits := p.judge(good); !fits || m.Score != 32 || m.Fields != 3 || len(m.Evidence) != 5 {
		t.Errorf("got %+v, %v", m, fits)
	}
	for _, wrong := range []drivers.Value{
		drivers.Float("frequency", 500), drivers.Float("voltage_l1", 2), drivers.Float("voltage_l1", 2300), drivers.Bad("serial", "exception 2"),
		drivers.Int("trait_0", 19), drivers.Int("trait_1", 4499), drivers.Int("trait_1", 6501), drivers.String("trait_2", "ABB"), drivers.Bad("trait_0", "not measured"),
	} {
		values := slices.Clone(good)
		values[slices.IndexFunc(values, func(v drivers.Value) bool { return v.Field == wrong.Field })] = wrong
		if m, fits := p.judge(values); fits {
			t.Errorf("%#v: fits, %+v", wrong, m)
		}
	}
	if _, fits := p.judge(good[2:4]); fits { // all zeros
		t.Error("nothing speaks for it, and it fits")
	}
}

// TestIdentifyNobody: what answers is not the device, and the error says what it is.
func TestIdentifyNobody(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"a gateway without it", "\x00\x00\x00\x03\x01\x83\x0b", "exception 11 (the device behind the gateway does not answer"},
		{"another protocol", "HTTP/1.1 400 Bad Request\r\n", "what came is not Modbus TCP"},
		{"another unit", "\x00\x00\x00\x03\x02\x83\x02", "it is of unit 2, not 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				buses := drivertest.OnSerial(drivertest.Device{Answers: func(q []byte) string {
					if strings.HasPrefix(test.answer, "HTTP") {
						return test.answer
					}
					a := []byte(test.answer)
					a[5] = q[7] | 0x80
					return string(q[:2]) + string(a)
				}})
				p, err := buses.Port(t.Context(), "host:502", drivers.SerialMode{})
				if err != nil {
					t.Fatal(err)
				}
				o := SpecTCP.Options().(*TCP)
				o.UnitID = 1
				m, err := IdentifyTCP(t.Context(), p, *o)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("want %q, got %+v, %v", test.want, m, err)
				}
				if err != nil && strings.Contains(err.Error(), "of the profile") {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
