package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/record"
)

// optionsOf records nothing but the options.
func optionsOf(t *testing.T, spec drivers.Spec, options any) *record.Recording {
	t.Helper()
	spec.Open = func(context.Context, drivers.Buses, string, any) (drivers.Driver, error) {
		return nil, errors.New("not opened")
	}
	r, err := record.Session(t.Context(), spec, drivertest.OnI2C(0x76, nil), "bus", options, time.Second, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Options are recorded as the configuration has them, and come back as they were.
func TestOptions(t *testing.T) {
	o := modbus.SpecRTU.Options().(*modbus.RTU)
	o.UnitID, o.WordOrder, o.Timeout = 9, "little", 250*time.Millisecond
	o.Registers = []modbus.Register{{Field: "power", Address: 30, Type: "float32"}, {Field: "energy", Address: 72}}
	r := optionsOf(t, modbus.SpecRTU, o)
	for _, want := range []string{`"unit_id":9`, `"word_order":"little"`, `"timeout":"250ms"`, `"registers":[{`, `"field":"power"`} {
		if !strings.Contains(string(r.Options), want) {
			t.Errorf("want %s in %s", want, r.Options)
		}
	}
	if strings.ContainsAny(string(r.Options), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t.Errorf("these are no names of the configuration: %s", r.Options)
	}
	got := modbus.SpecRTU.Options()
	if err := r.DecodeOptions(got); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("want %+v, got %+v, %v", o, got, err)
	}
	for _, spec := range all.Specs() {
		want, got := spec.Options(), spec.Options()
		if err := optionsOf(t, spec, want).DecodeOptions(got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: want %+v, got %+v, %v", spec.Name, want, got, err)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"UnitID":1}`, `options has no option "UnitID"`},
		{`{"unit_id":"x"}`, "options.unit_id: "},
		{`{"timeout":5}`, "options.timeout: "},
		{`{"timeout":"5"}`, "options.timeout: "},
		{`{"registers":{}}`, "options.registers: "},
		{`{"registers":[{"field":"a"},{"name":"b"}]}`, `options.registers.1 has no option "name"`},
		{`[]`, "options: "},
	} {
		r := record.Recording{Options: json.RawMessage(tt.text)}
		if err := r.DecodeOptions(modbus.SpecRTU.Options()); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: want %q, got %v", tt.text, tt.want, err)
		}
	}
}
