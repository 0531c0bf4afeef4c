package modbus_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/filter"
)

// The configurations of other programs in testdata/translated return the values that those programs
// return. Beside each is a file of facts: what registers hold, and the value that the original
// makes of them, computed without fieldgate.
//
//	sensor NAME                              the facts that follow are about this sensor
//	TABLE ADDRESS REGISTER… | FIELD VALUE    registers in hexadecimal; either side may be missing
//	reading                                  what follows differs in the next reading
//
// A value is a number, a quoted text, or "bad" and the reason; a bit is 0 or 1.
func TestTranslatedConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/translated/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		c, err := config.Load(file, config.Catalogue{Drivers: []drivers.Spec{modbus.SpecRTU, modbus.SpecTCP}, Formats: config.Words{{Name: "json"}}})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		readings := readFacts(t, strings.TrimSuffix(file, ".toml")+".facts")
		for i := range c.Sensors {
			s := &c.Sensors[i]
			t.Run(filepath.Base(file)+"/"+s.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { compareTranslated(t, s, readings[s.Name]) })
			})
		}
	}
}

// A factReading is a reading of a sensor: what changes in the device before it, and what it has.
type factReading struct {
	change []func(*modbustest.Unit)
	want   map[string]string // by field
}

// compareTranslated reads a sensor of a configuration from a device that is as its facts say.
func compareTranslated(t *testing.T, s *config.Sensor, readings []factReading) {
	if len(readings) == 0 {
		t.Fatal("it has no facts")
	}
	unit := modbustest.NewUnit()
	answers := func(request []byte) string { return "" }
	switch o := s.Options.(type) {
	case *modbus.RTU:
		line := &modbustest.Line{Units: map[byte]*modbustest.Unit{byte(o.UnitID): unit}}
		answers = func(request []byte) string { answer, _ := line.Hears(request); return string(answer) }
	case *modbus.TCP:
		units := map[byte]*modbustest.Unit{byte(o.UnitID): unit}
		answers = func(request []byte) string { return string(modbustest.TCP(units, request)) }
	}
	d, err := s.Spec.Open(t.Context(), drivertest.OnSerial(drivertest.Device{Answers: answers, Delay: time.Millisecond}), s.Bus, s.Options)
	if err != nil {
		t.Fatal(err)
	}
	chain := filter.New(s.Fields, s.Computed)
	for n, r := range readings {
		for _, change := range r.change {
			change(unit)
		}
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatalf("reading %d: %v", n+1, err)
		}
		missing := maps.Clone(r.want)
		for _, v := range chain.Convert(values) {
			want, known := r.want[v.Field]
			delete(missing, v.Field)
			if got := factValue(v); !known || got != want {
				t.Errorf("reading %d: %s is %s, want %q", n+1, v.Field, got, want)
			}
		}
		for field, want := range missing {
			t.Errorf("reading %d has no %s, want %s", n+1, field, want)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// factValue writes a value as facts have it.
func factValue(v drivers.Value) string {
	switch v.Kind() {
	case drivers.KindBad:
		return "bad " + v.Reason()
	case drivers.KindString:
		return strconv.Quote(v.Text())
	case drivers.KindBool:
		if v.Bool() {
			return "1"
		}
		return "0"
	case drivers.KindInt:
		return strconv.FormatInt(v.Int(), 10)
	}
	return strconv.FormatFloat(v.Float(), 'f', -1, 64)
}

// readFacts returns the readings of a file of facts by sensor.
func readFacts(t *testing.T, file string) map[string][]factReading {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string][]factReading{}
	sensor := ""
	for number, line := range strings.Split(string(text), "\n") {
		device, value, _ := strings.Cut(line, "|")
		words := strings.Fields(device)
		n := len(facts[sensor]) - 1
		switch {
		case strings.TrimSpace(line) == "":
		case len(words) == 2 && words[0] == "sensor":
			sensor = words[1]
			facts[sensor] = []factReading{{want: map[string]string{}}}
		case n < 0:
			t.Fatalf("%s:%d: a fact about no sensor", file, number+1)
		case len(words) == 1 && words[0] == "reading":
			facts[sensor] = append(facts[sensor], factReading{want: maps.Clone(facts[sensor][n].want)})
		default:
			r := &facts[sensor][n]
			if field, want, ok := strings.Cut(strings.TrimSpace(value), " "); ok {
				r.want[field] = want
			}
			if len(words) > 0 {
				change, err := deviceFact(words)
				if err != nil {
					t.Fatalf("%s:%d: %v", file, number+1, err)
				}
				r.change = append(r.change, change)
			}
		}
	}
	return facts
}

// deviceFact returns what puts registers or bits into a device: table, address, contents.
func deviceFact(words []string) (func(*modbustest.Unit), error) {
	if len(words) < 3 {
		return nil, fmt.Errorf("want a table, an address and what is there, not %q", words)
	}
	address, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return nil, err
	}
	at, bit := uint16(address), words[2] == "1"
	var registers []uint16
	for _, w := range words[2:] {
		v, err := strconv.ParseUint(w, 16, 16)
		if err != nil {
			return nil, err
		}
		registers = append(registers, uint16(v))
	}
	switch words[0] {
	case "holding":
		return func(u *modbustest.Unit) { u.Holding(at, registers...) }, nil
	case "input":
		return func(u *modbustest.Unit) { u.Input(at, registers...) }, nil
	case "coil":
		return func(u *modbustest.Unit) { u.Coils(at, bit) }, nil
	case "discrete":
		return func(u *modbustest.Unit) { u.Discrete(at, bit) }, nil
	}
	return nil, fmt.Errorf("there is no table %q", words[0])
}
