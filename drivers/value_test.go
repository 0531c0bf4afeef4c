package drivers

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	tests := []struct {
		name   string
		v      Value
		kind   string
		any    any
		float  float64
		int    int64
		bool   bool
		text   string
		reason string
	}{
		{"bad", Bad("f", "crc"), "bad", nil, 0, 0, false, "", "crc"},
		{"zero value", Value{}, "bad", nil, 0, 0, false, "", ""},
		{"NaN", Float("f", math.NaN()), "bad", nil, 0, 0, false, "", "range"},
		{"infinity", Float("f", math.Inf(-1)), "bad", nil, 0, 0, false, "", "range"},
		{"float", Float("f", -2.5), "float", -2.5, -2.5, 0, false, "", ""},
		{"negative zero", Float("f", math.Copysign(0, -1)), "float", 0.0, 0, 0, false, "", ""},
		{"int", Int("f", math.MinInt64), "int", int64(math.MinInt64), math.MinInt64, math.MinInt64, false, "", ""},
		{"true", Bool("f", true), "bool", true, 0, 0, true, "", ""},
		{"false", Bool("f", false), "bool", false, 0, 0, false, "", ""},
		{"string", String("f", "crc"), "string", "crc", 0, 0, false, "crc", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := test.v
			if v.Kind().String() != test.kind || v.Any() != test.any {
				t.Errorf("want %s %v, got %s %v", test.kind, test.any, v.Kind(), v.Any())
			}
			if v.Float() != test.float || v.Int() != test.int || v.Bool() != test.bool || v.Text() != test.text || v.Reason() != test.reason {
				t.Errorf("got %v, %v, %v, %q, %q", v.Float(), v.Int(), v.Bool(), v.Text(), v.Reason())
			}
		})
	}
	if got := fmt.Sprintf("%#v %#v", Int("a", 1), Bad("b", "crc")); got != "a=1(int) b=bad(crc)" {
		t.Errorf("got %s", got)
	}
}

// Making values is on the path of every reading.
func TestValuesDoNotAllocate(t *testing.T) {
	values := make([]Value, 4)
	if n := testing.AllocsPerRun(100, func() {
		values[0], values[1], values[2], values[3] = Float("a", 1.5), Int("b", 2), Bool("c", true), Bad("d", "crc")
	}); n != 0 {
		t.Errorf("want no allocation, got %v", n)
	}
}

func TestUnits(t *testing.T) {
	for q, want := range map[Quantity]string{
		Temperature: "Cel", Pressure: "Pa", Humidity: "%RH", Ratio: "/", Percentage: "%", Duration: "s", Bytes: "B", Count: "count", Plain: "", "mood": "",
	} {
		if got := q.Unit(); got != want {
			t.Errorf("%q: want %q, got %q", q, want, got)
		}
	}
}

func TestIsFieldName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "power_l1": true, strings.Repeat("a", 64): true,
		"": false, "_a": false, "1a": false, "Power": false, "a-b": false, "grün": false, "a b": false, strings.Repeat("a", 65): false,
	} {
		if IsFieldName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
