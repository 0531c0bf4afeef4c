package modbus

import (
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

func allProfiles(t *testing.T) []Profile {
	t.Helper()
	all, err := Profiles()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// units are those of the profiles: SenML's (RFC 8428 and RFC 8798).
func units() []string {
	return []string{"", "V", "A", "W", "kW", "VA", "kVA", "var", "kvar", "Hz", "kWh", "Wh", "kvarh", "kVAh", "/", "%", "%RH", "Cel", "deg", "s", "min", "h", "ppm", "lx", "Ah", "Ohm", "J", "m3", "l", "count"}
}

// TestProfiles: each profile is accepted by its drivers, says where it comes from, and has names
// and units like the others.
func TestProfiles(t *testing.T) {
	for _, p := range allProfiles(t) {
		t.Run(p.Name, func(t *testing.T) {
			rtu := SpecRTU.Options().(*RTU)
			for _, o := range []interface {
				UseProfile(string) error
				Check() error
			}{rtu, SpecTCP.Options().(*TCP)} {
				if err := o.UseProfile(p.Name); err != nil {
					t.Fatal(err)
				}
				if err := o.Check(); err != nil {
					t.Error(err)
				}
			}
			for key := range p.Options {
				if _, ok := optionField(reflect.ValueOf(rtu).Elem(), key); !ok || key == "registers" || key == "profile" || key == "fields" {
					t.Errorf("%q is not an option of a profile", key)
				}
			}
			if p.Maker == "" || len(p.Models) == 0 || !slices.Contains(Evidences(), p.Evidence) {
				t.Errorf("maker %q, models %q, evidence %q", p.Maker, p.Models, p.Evidence)
			}
			if least := map[string]int{"two-sources": 2}[p.Evidence]; len(p.Sources) < max(least, 1) {
				t.Errorf("evidence %q with the sources %q", p.Evidence, p.Sources)
			}
			for _, r := range p.Registers {
				if !slices.Contains(units(), r.Unit) {
					t.Errorf("%s: unit %q", r.Field, r.Unit)
				}
				if r.Writable && p.Evidence != "manual" {
					t.Errorf("%s is writable, and nobody has read the manual", r.Field)
				}
			}
		})
	}
}

// simulate fills a device with a number of its own for each field, and returns what the fields must
// be. It is written from the specification, not from the driver.
func simulate(t *testing.T, o *TCP) (*modbustest.Unit, map[string]any) {
	t.Helper()
	unit, want := modbustest.NewUnit(), map[string]any{}
	registers := map[string]map[int]uint16{"holding": {}, "input": {}}
	for i, r := range placeModels(o.Registers, registers["holding"]) {
		table := cmp.Or(r.Table, "holding")
		if table == "coil" || table == "discrete" {
			on := i%2 == 0
			map[string]func(uint16, ...bool) *modbustest.Unit{"coil": unit.Coils, "discrete": unit.Discrete}[table](uint16(r.Address), on)
			want[r.Field] = on
			continue
		}
		raw, value := numberOf(t, r, i)
		words := make([]uint16, len(raw)/2)
		for j := range words {
			words[j] = binary.BigEndian.Uint16(raw[2*j:])
		}
		if cmp.Or(r.WordOrder, o.WordOrder) == "little" && r.Type != "string" {
			slices.Reverse(words)
		}
		for j, w := range words {
			if cmp.Or(r.ByteOrder, o.ByteOrder) == "little" {
				w = w<<8 | w>>8
			}
			registers[table][r.Address+j] |= w
		}
		if r.ScaleRegister != nil {
			registers[table][*r.ScaleRegister] = 0xffff // one decimal
			value = value.(float64) / 10
		}
		want[r.Field] = value
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
	return unit, want
}

// placeModels puts the first register of each field of a SunSpec device where its model is, and a
// list of those models into the holding registers. Other maps stay as they are.
func placeModels(all []Register, holding map[int]uint16) []Register {
	if !slices.ContainsFunc(all, func(r Register) bool { return r.Models != nil }) {
		return all
	}
	var first []Register
	end := map[int]int{} // of each model
	var numbers []int
	for _, r := range all {
		if slices.ContainsFunc(first, func(f Register) bool { return f.Field == r.Field }) {
			continue
		}
		first = append(first, r)
		number := r.Models[0]
		if end[number] == 0 {
			numbers = append(numbers, number)
		}
		end[number] = max(end[number], r.Address+max(r.Length, 2))
		if r.ScaleRegister != nil {
			end[number] = max(end[number], *r.ScaleRegister+1)
		}
	}
	at, start := 40002, map[int]int{}
	holding[40000], holding[40001] = 0x5375, 0x6e53
	for _, number := range numbers {
		start[number] = at
		for i := range end[number] {
			holding[at+i] = 0
		}
		holding[at], holding[at+1] = uint16(number), uint16(end[number]-2)
		at += end[number]
	}
	holding[at], holding[at+1] = 0xffff, 0
	for i := range first {
		r := &first[i]
		begin := start[r.Models[0]]
		r.Address += begin
		if r.ScaleRegister != nil {
			moved := *r.ScaleRegister + begin
			r.ScaleRegister = &moved
		}
	}
	return first
}

// numberOf returns a number for the i-th field, as it is in registers with the high byte first, and
// as the field has it.
func numberOf(t *testing.T, r Register, i int) (raw []byte, value any) {
	n := 10 + i%90
	scale := cmp.Or(r.Scale, 1)
	switch r.Type {
	case "string":
		text := "SN" + strconv.Itoa(n)
		raw = make([]byte, 2*r.Length)
		copy(raw, text[:min(len(text), len(raw))])
		return raw, text[:min(len(text), len(raw))]
	case "float32":
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(n)+0.5)), (float64(n)+0.5)*scale + r.Offset
	case "float64":
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(n)+0.5)), (float64(n)+0.5)*scale + r.Offset
	case "bool":
		return binary.BigEndian.AppendUint16(nil, 1<<r.Bit), true
	case "bcd16":
		return []byte{byte(n / 1000), byte(n/10%10<<4 | n%10)}, float64(n)*scale + r.Offset
	case "uint8", "int8":
		return []byte{0, byte(n)}, float64(n)*scale + r.Offset
	}
	if r.Bits != nil {
		n &= 1<<(r.Bits[1]-r.Bits[0]+1) - 1
	}
	value = float64(n)*scale + r.Offset
	shifted := uint64(n)
	if r.Bits != nil {
		shifted <<= r.Bits[0]
	}
	switch r.Type {
	case "", "uint16", "int16":
		return binary.BigEndian.AppendUint16(nil, uint16(shifted)), value
	case "uint32", "int32":
		return binary.BigEndian.AppendUint32(nil, uint32(shifted)), value
	case "uint64", "int64":
		return binary.BigEndian.AppendUint64(nil, shifted), value
	}
	t.Fatalf("the simulator does not know the type %q", r.Type)
	return nil, nil
}

// TestProfilesAreRead reads each profile through the driver from a device made of it.
func TestProfilesAreRead(t *testing.T) {
	for _, p := range allProfiles(t) {
		t.Run(p.Name, func(t *testing.T) {
			o := SpecTCP.Options().(*TCP)
			if err := o.UseProfile(p.Name); err != nil {
				t.Fatal(err)
			}
			unit, want := simulate(t, o)
			device := drivertest.Device{Answers: func(request []byte) string {
				answer := unit.Answer(request[7:])
				frame := append(slices.Clone(request[:4]), 0, byte(1+len(answer)), request[6])
				return string(append(frame, answer...))
			}}
			d, err := SpecTCP.Open(t.Context(), drivertest.OnSerial(device), "host:502", o)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			values, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				var got any
				switch v.Kind() {
				case drivers.KindFloat:
					got = v.Float()
				case drivers.KindInt:
					got = float64(v.Int())
				case drivers.KindBool:
					got = v.Bool()
				default:
					got = v.Any()
				}
				w := want[v.Field]
				if a, ok := got.(float64); ok {
					if b, ok := w.(float64); ok && math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) {
						continue
					}
				}
				if got != w {
					t.Errorf("%s: want %v, got %v", v.Field, w, got)
				}
			}
			if len(values) != len(want) || len(values) != len(SpecTCP.Fields(o)) {
				t.Errorf("%d of %d fields", len(values), len(want))
			}
		})
	}
}

// TestProfilesAgree compares each profile with the register map of an implementation that is not
// ours. The facts are in testdata/profiles, one file for each profile: field, table, address, type
// and scale, and in its first line where they come from.
func TestProfilesAgree(t *testing.T) {
	for _, p := range allProfiles(t) {
		t.Run(p.Name, func(t *testing.T) {
			file := filepath.Join("testdata", "profiles", p.Name+".csv")
			text, err := os.ReadFile(file)
			if os.IsNotExist(err) && p.Evidence == "one-source" {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "# ") {
				t.Errorf("%s does not begin with its source", file)
			}
			lines := csv.NewReader(strings.NewReader(string(text)))
			lines.Comment = '#'
			facts, err := lines.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, fact := range facts[min(1, len(facts)):] {
				i := slices.IndexFunc(p.Registers, func(r Register) bool { return r.Field == fact[0] })
				if i < 0 {
					t.Errorf("the other has %s", fact[0])
					continue
				}
				r := p.Registers[i]
				got := []string{r.Field, cmp.Or(r.Table, "holding"), strconv.Itoa(r.Address), cmp.Or(r.Type, "uint16"), fmt.Sprint(cmp.Or(r.Scale, 1))}
				if address, err := strconv.ParseInt(fact[2], 0, 32); err == nil {
					fact[2] = strconv.Itoa(int(address))
				}
				if !slices.Equal(got, fact) {
					t.Errorf("want %v, got %v", fact, got)
				}
				compared++
			}
			if compared < min(len(p.Registers), 4) {
				t.Errorf("only %d fields compared", compared)
			}
		})
	}
	files, err := filepath.Glob("testdata/profiles/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".csv"); !slices.Contains(profileNames(), name) {
			t.Errorf("%s: there is no such profile", file)
		}
	}
}

func TestProfileIsTheBeginning(t *testing.T) {
	o := SpecRTU.Options().(*RTU)
	if err := o.UseProfile("eastron-sdm120"); err != nil {
		t.Fatal(err)
	}
	if o.Baud != 2400 || len(o.Registers) < 10 {
		t.Errorf("%d baud, %d registers", o.Baud, len(o.Registers))
	}
	o.Fields = []string{"power", "voltage"}
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	if f := SpecRTU.Fields(o); len(f) != 2 || f[0].Name != "power" || f[1].Name != "voltage" {
		t.Errorf("got %+v", f)
	}
	o.Fields = []string{"power", "volts", "power"}
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), `"volts" is none of the registers' fields: voltage, current`) || !strings.Contains(err.Error(), `"power" is there twice`) {
		t.Errorf("got %v", err)
	}
}
