package modbus

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// plausibleUnit makes a device of a profile whose values are those of a device in use, and that has
// what its traits say.
func plausibleUnit(p Profile, o *TCP) *modbustest.Unit {
	registers := map[string]map[int]uint16{"holding": {}, "input": {}}
	put := func(r Register, n float64) {
		words := wordsOf(r.Type, n)
		if r.Type == "string" {
			words = make([]uint16, r.Length)
		}
		if cmp.Or(r.WordOrder, o.WordOrder) == "little" {
			slices.Reverse(words)
		}
		for i, w := range words {
			registers[cmp.Or(r.Table, "holding")][r.Address+i] = w
		}
	}
	unit := modbustest.NewUnit()
	for _, r := range p.Registers {
		if r.Table == "coil" {
			unit.Coils(uint16(r.Address), false)
			continue
		}
		value, ok := map[string]float64{"Hz": 50, "V": 230, "%RH": 45, "Cel": 25}[r.Unit]
		if !ok {
			value = 0
		}
		put(r, (value-r.Offset)/cmp.Or(r.Scale, 1))
	}
	for _, trait := range p.Identify {
		r := Register{Table: trait.Table, Address: trait.Address, Type: trait.Type, Length: trait.Length}
		switch first := append(trait.Equals, nil)[0].(type) {
		case string:
			raw := make([]byte, 2*trait.Length)
			copy(raw, first)
			for i := range trait.Length {
				registers[cmp.Or(trait.Table, "holding")][trait.Address+i] = binary.BigEndian.Uint16(raw[2*i:])
			}
		case int64:
			put(r, float64(first))
		default:
			put(r, (*trait.Min+*trait.Max)/2)
		}
	}
	for table, all := range registers {
		for address, w := range all {
			if table == "input" {
				unit.Input(uint16(address), w)
			} else {
				unit.Holding(uint16(address), w)
			}
		}
	}
	return unit
}

// wordsOf returns a number as registers, the high part first.
func wordsOf(kind string, n float64) []uint16 {
	var raw []byte
	switch kind {
	case "float32":
		raw = binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(n)))
	case "float64":
		raw = binary.BigEndian.AppendUint64(nil, math.Float64bits(n))
	case "uint32", "int32":
		raw = binary.BigEndian.AppendUint32(nil, uint32(int64(math.Round(n))))
	case "uint64", "int64":
		raw = binary.BigEndian.AppendUint64(nil, uint64(int64(math.Round(n))))
	default:
		raw = binary.BigEndian.AppendUint16(nil, uint16(int64(math.Round(n))))
	}
	words := make([]uint16, len(raw)/2)
	for i := range words {
		words[i] = binary.BigEndian.Uint16(raw[2*i:])
	}
	return words
}

// TestProfilesIdentifyTheirDevices: a device that is like a profile with traits is found by it, and
// by no other but those that have the same registers.
func TestProfilesIdentifyTheirDevices(t *testing.T) {
	same := [][]string{{"pzem-004t-v3", "pzem-016"}}
	for _, p := range allProfiles(t) {
		if p.Identify == nil || slices.ContainsFunc(p.Registers, func(r Register) bool { return r.Models != nil }) {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { identifies(t, p, same) })
		})
	}
}

func identifies(t *testing.T, p Profile, same [][]string) {
	o := SpecTCP.Options().(*TCP)
	if err := o.UseProfile(p.Name); err != nil {
		t.Fatal(err)
	}
	unit := plausibleUnit(p, o)
	buses := drivertest.OnSerial(drivertest.Device{Answers: func(request []byte) string {
		answer := unit.Answer(request[7:])
		frame := append(slices.Clone(request[:4]), 0, byte(1+len(answer)), request[6])
		return string(append(frame, answer...))
	}})
	port, err := buses.Port(t.Context(), "host:502", o.mode())
	if err != nil {
		t.Fatal(err)
	}
	matches, err := IdentifyTCP(t.Context(), port, *o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{p.Name}
	for _, names := range same {
		if slices.Contains(names, p.Name) {
			want = names
		}
	}
	var best []string
	for _, m := range matches {
		if m.Score == matches[0].Score {
			best = append(best, m.Profile)
		}
	}
	if slices.Sort(best); !slices.Equal(best, want) {
		t.Errorf("want %v, got %v of %+v", want, best, matches)
	}
}
