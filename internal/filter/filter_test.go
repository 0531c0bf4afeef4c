package filter

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

func ptr(v float64) *float64 { return &v }

// bad is a reading of NaN, which drivers.Float makes Bad "range".
var bad = math.NaN()

// apply filters readings of the field v, one a second, and returns those kept as one line.
func apply(c *Chain, values ...float64) string {
	var kept []string
	for i, v := range values {
		reading := []drivers.Value{drivers.Float("v", v)}
		if reading, keep := c.Apply(time.Hour+time.Duration(i)*time.Second, reading); keep {
			kept = append(kept, strings.TrimPrefix(fmt.Sprintf("%#v", reading[0]), "v="))
		}
	}
	return strings.ReplaceAll(strings.Join(kept, " "), "(float)", "")
}

func TestOneField(t *testing.T) {
	tests := []struct {
		name   string
		config config.FieldFilter
		in     []float64
		want   string
	}{
		{"nothing", config.FieldFilter{}, []float64{1, 1, bad}, "1 1 bad(range)"},
		{"scale and offset", config.FieldFilter{Scale: ptr(2), Offset: ptr(-1)}, []float64{0, 10}, "-1 19"},
		{"scale in decimal", config.FieldFilter{Scale: ptr(0.01)}, []float64{23773, 5.5}, "237.73 0.055"},
		{"offset in decimal", config.FieldFilter{Scale: ptr(0.1), Offset: ptr(-273.15)}, []float64{2931, 2730.3}, "19.95 -0.12"},
		{"average in decimal", config.FieldFilter{Average: 3}, []float64{0.1, 0.2, 0.3}, "0.1 0.15 0.2"},
		{"average with no more digits than tell something", config.FieldFilter{Average: 3}, []float64{1.5, 1.6, 1.6}, "1.5 1.55 1.5667"},
		{"scale beyond what a float can tell", config.FieldFilter{Scale: ptr(1e300)}, []float64{1e300}, "bad(range)"},
		{"min and max", config.FieldFilter{Min: ptr(0), Max: ptr(10)}, []float64{-0.1, 0, 10, 10.1}, "bad(range) 0 10 bad(range)"},
		{"min is of the scaled value", config.FieldFilter{Scale: ptr(10), Min: ptr(5)}, []float64{0.4, 0.6}, "bad(range) 6"},
		{"average", config.FieldFilter{Average: 3}, []float64{3, 6, 9, 12}, "3 4.5 6 9"},
		{"implausible and bad values do not enter the average", config.FieldFilter{Average: 2, Max: ptr(10)}, []float64{2, 100, bad, 4}, "2 bad(range) bad(range) 3"},
		{"average of the greatest floats", config.FieldFilter{Average: 2}, []float64{math.MaxFloat64, math.MaxFloat64}, fmt.Sprintf("%v %v", math.MaxFloat64, math.MaxFloat64)},
		{"deadband", config.FieldFilter{Deadband: 1}, []float64{5, 5.5, 6, 6.1, 5.2, 5}, "5 6.1 5"},
		{"deadband counts from the last kept value", config.FieldFilter{Deadband: 1}, []float64{0, 0.6, 1.2, 1.8, 2.4}, "0 1.2 2.4"},
		{"deadband is of the average", config.FieldFilter{Average: 2, Deadband: 1}, []float64{0, 2, 2}, "0 2"},
		{"on change", config.FieldFilter{OnChange: true}, []float64{1, 1, 1.0000001, 1}, "1 1.0000001 1"},
		{"becoming bad and coming back are news", config.FieldFilter{Deadband: 100}, []float64{1, bad, bad, 2, 2}, "1 bad(range) 2"},
		{"heartbeat", config.FieldFilter{Deadband: 10, Heartbeat: 3 * time.Second}, []float64{0, 1, 2, 3, 4, 50, 51, 52, 53}, "0 3 50 53"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := New(map[string]config.FieldFilter{"v": test.config}, nil)
			if got := apply(c, test.in...); got != test.want {
				t.Errorf("want %s\n got %s", test.want, got)
			}
		})
	}
}

func TestHeartbeatWithJitter(t *testing.T) {
	c := New(map[string]config.FieldFilter{"v": {OnChange: true, Heartbeat: time.Minute}}, nil)
	var kept []int
	for i := range 14 {
		// ever a little early
		up := time.Hour + time.Duration(i)*10*time.Second - time.Duration(i)*time.Millisecond
		if _, keep := c.Apply(up, []drivers.Value{drivers.Int("v", 1)}); keep {
			kept = append(kept, i)
		}
	}
	if got := fmt.Sprint(kept); got != "[0 6 12]" {
		t.Errorf("want every sixth reading, got %s", got)
	}
}

func TestFieldsVote(t *testing.T) {
	reading := func(a float64, b int64, on bool) []drivers.Value {
		return []drivers.Value{drivers.Float("a", a), drivers.Int("b", b), drivers.Bool("on", on)}
	}
	c := New(map[string]config.FieldFilter{"a": {Deadband: 1}, "on": {OnChange: true}}, nil)
	up := time.Duration(0)
	keep := func(name string, values []drivers.Value, want bool) {
		t.Helper()
		up += time.Second
		if _, got := c.Apply(up, values); got != want {
			t.Errorf("%s: want %v, got %v", name, want, got)
		}
	}
	keep("first", reading(1, 1, false), true)
	keep("nothing moved", reading(1.5, 1, false), false)
	keep("a field without a vote moved", reading(1.5, 99, false), false)
	keep("on changed", reading(1.5, 1, true), true)
	keep("a counts from what was kept", reading(2.4, 1, true), false)
	keep("a moved", reading(2.6, 1, true), true)
	keep("a field without a vote became bad", []drivers.Value{drivers.Float("a", 2.6), drivers.Bad("b", "crc"), drivers.Bool("on", true)}, true)
	c.Force()
	keep("forced", []drivers.Value{drivers.Float("a", 2.6), drivers.Bad("b", "crc"), drivers.Bool("on", true)}, true)
	keep("forced once", []drivers.Value{drivers.Float("a", 2.6), drivers.Bad("b", "crc"), drivers.Bool("on", true)}, false)
	c.SetDeadbands(map[string]float64{"a": 0, "b": 10})
	keep("the deadband of a is off", []drivers.Value{drivers.Float("a", 99), drivers.Bad("b", "crc"), drivers.Bool("on", true)}, false)
	keep("b is back", reading(99, 20, true), true)
	keep("b moved too little", reading(99, 30, true), false)
	keep("b moved", reading(99, 31, true), true)
	c.SetDeadbands(nil)
	keep("b has no vote again", reading(99, 1000, true), false)
	keep("a has its own again", reading(101, 31, true), true)
}

func TestSetDeadbandsOfAFieldNotSeen(t *testing.T) {
	c := New(nil, nil)
	c.SetDeadbands(map[string]float64{"v": 1})
	if got := apply(c, 0, 0.5, 2); got != "0 2" {
		t.Errorf("got %s", got)
	}
}

func TestConvertRemembersNothing(t *testing.T) {
	c := New(map[string]config.FieldFilter{"v": {Scale: ptr(2), Average: 10, OnChange: true, Max: ptr(50)}}, nil)
	apply(c, 1)
	values := []drivers.Value{drivers.Float("v", 20)}
	c.Convert(values)
	if values[0] != drivers.Float("v", 40) {
		t.Errorf("want 40, got %#v", values[0])
	}
	values = []drivers.Value{drivers.Int("v", 30)}
	if c.Convert(values); values[0] != drivers.Bad("v", "range") {
		t.Errorf("want it out of range, got %#v", values[0])
	}
	if got := apply(c, 4); got != "5" { // the mean of 2 and 8
		t.Errorf("want the average without what Convert saw, got %s", got)
	}
}

// What the filter keeps is what a plain model keeps, whatever the order of the fields.
func TestAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		configs := map[string]config.FieldFilter{}
		for _, name := range []string{"a", "b", "c"} {
			configs[name] = config.FieldFilter{Deadband: float64(random.IntN(3)), OnChange: random.IntN(4) == 0}
		}
		c, last := New(configs, nil), map[string]drivers.Value(nil)
		for step := range 50 {
			values := []drivers.Value{}
			for _, name := range []string{"a", "b", "c"} {
				v := drivers.Int(name, int64(random.IntN(8)))
				if random.IntN(10) == 0 {
					v = drivers.Bad(name, "crc")
				}
				values = append(values, v)
			}
			random.Shuffle(3, func(i, j int) { values[i], values[j] = values[j], values[i] })
			want, votes := last == nil, false
			for _, v := range values {
				config, before := configs[v.Field], last[v.Field]
				votes = votes || config.Deadband > 0 || config.OnChange
				want = want || (v.Kind() == drivers.KindBad) != (before.Kind() == drivers.KindBad) ||
					config.OnChange && v != before ||
					config.Deadband > 0 && math.Abs(v.Float()-before.Float()) > config.Deadband
			}
			want = want || !votes
			if _, got := c.Apply(time.Duration(step)*time.Second, values); got != want {
				t.Fatalf("%+v after %#v: %#v: want %v, got %v", configs, last, values, want, got)
			}
			if want {
				last = map[string]drivers.Value{}
				for _, v := range values {
					last[v.Field] = v
				}
			}
		}
	}
}

func TestKindAndCheck(t *testing.T) {
	tests := []struct {
		name   string
		config config.FieldFilter
		kind   drivers.Kind
		after  drivers.Kind
		want   string // part of the error
	}{
		{"scale of a bool", config.FieldFilter{Scale: ptr(2)}, drivers.KindBool, drivers.KindBool, "option scale: the field is a bool"},
		{"scale 0", config.FieldFilter{Scale: ptr(0)}, drivers.KindInt, drivers.KindFloat, "option scale: 0 would"},
		{"offset not finite", config.FieldFilter{Offset: ptr(math.Inf(1))}, drivers.KindFloat, drivers.KindFloat, "option offset: +Inf"},
		{"min above max", config.FieldFilter{Min: ptr(2), Max: ptr(1)}, drivers.KindInt, drivers.KindInt, "option min: 2 is above max"},
		{"average of a string", config.FieldFilter{Average: 2}, drivers.KindString, drivers.KindString, "option average: the field is a string"},
		{"average too long", config.FieldFilter{Average: 1001}, drivers.KindFloat, drivers.KindFloat, "option average: 1001 readings; want 2 to 1000"},
		{"average negative", config.FieldFilter{Average: -1}, drivers.KindFloat, drivers.KindFloat, "option average: -1"},
		{"deadband of a bool", config.FieldFilter{Deadband: 1}, drivers.KindBool, drivers.KindBool, "option deadband: the field is a bool"},
		{"deadband negative", config.FieldFilter{Deadband: -1}, drivers.KindFloat, drivers.KindFloat, "option deadband: -1"},
		{"deadband NaN", config.FieldFilter{Deadband: math.NaN()}, drivers.KindFloat, drivers.KindFloat, "option deadband: NaN"},
		{"heartbeat alone", config.FieldFilter{Heartbeat: time.Minute}, drivers.KindFloat, drivers.KindFloat, "option heartbeat: it needs"},
		{"heartbeat negative", config.FieldFilter{Heartbeat: -1, OnChange: true}, drivers.KindFloat, drivers.KindFloat, "option heartbeat: -1ns"},
		{"OK nothing", config.FieldFilter{}, drivers.KindString, drivers.KindString, ""},
		{"OK on change of a string", config.FieldFilter{OnChange: true, Heartbeat: time.Minute}, drivers.KindString, drivers.KindString, ""},
		{"OK int stays an int", config.FieldFilter{Min: ptr(0), Deadband: 5}, drivers.KindInt, drivers.KindInt, ""},
		{"OK scaled int is a float", config.FieldFilter{Scale: ptr(0.1)}, drivers.KindInt, drivers.KindFloat, ""},
		{"OK averaged int is a float", config.FieldFilter{Average: 5}, drivers.KindInt, drivers.KindFloat, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Kind(test.config, test.kind); got != test.after {
				t.Errorf("Kind: want %s, got %s", test.after, got)
			}
			err := test.config.Check(test.kind)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Check: want %q, got %v", test.want, err)
			}
			if e := (*drivers.OptionError)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("want an OptionError, got %T", err)
			}
		})
	}
}

func chain() (*Chain, []drivers.Value) {
	c := New(map[string]config.FieldFilter{
		"a": {Scale: ptr(1.5), Offset: ptr(2), Min: ptr(-1e6), Max: ptr(1e6), Deadband: 0.5, Heartbeat: time.Minute},
		"b": {Average: 10, OnChange: true},
	}, nil)
	return c, []drivers.Value{drivers.Float("c", 1), drivers.Int("b", 3), drivers.Float("a", 2)}
}

func TestApplyDoesNotAllocate(t *testing.T) {
	c, values := chain()
	up := time.Duration(0)
	c.Apply(up, values)
	if n := testing.AllocsPerRun(1000, func() {
		up += time.Second
		values[2] = drivers.Float("a", float64(up%7))
		c.Apply(up, values)
	}); n != 0 {
		t.Errorf("want no allocation, got %v", n)
	}
}

func BenchmarkApply(b *testing.B) {
	c, values := chain()
	up := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		up += time.Second
		values[2] = drivers.Float("a", float64(up%7))
		c.Apply(up, values)
	}
}

// TestRevertIsTheWayBack writes what Apply made of a number.
func TestRevertIsTheWayBack(t *testing.T) {
	for _, test := range []struct{ scale, offset, want, v float64 }{
		{0.1, 0, 3, 0.3}, {0.01, 0, 23773, 237.73}, {0.1, -273.15, 2931, 19.95}, {3, 0.1, 0.1, 0.4}, {10, 0, 0.03, 0.3},
	} {
		c := config.FieldFilter{Scale: &test.scale, Offset: &test.offset}
		got, err := Revert(c, drivers.Float("v", test.v), drivers.KindFloat)
		if err != nil || got.Float() != test.want {
			t.Errorf("(%v - %v) / %v = %#v, %v; want %v", test.v, test.offset, test.scale, got, err, test.want)
		}
	}
}

// TestUnitIsTheDriversOnlyForTheDriversNumbers: a number that was changed is of another unit, or of
// one that nobody knows.
func TestUnitIsTheDriversOnlyForTheDriversNumbers(t *testing.T) {
	for _, test := range []struct {
		name   string
		config config.FieldFilter
		want   string
	}{
		{"as it is", config.FieldFilter{Min: ptr(0), Average: 3}, "Cel"},
		{"scaled", config.FieldFilter{Scale: ptr(1.8)}, ""},
		{"shifted", config.FieldFilter{Offset: ptr(273.15)}, ""},
		{"scaled by one", config.FieldFilter{Scale: ptr(1), Offset: ptr(0)}, "Cel"},
		{"scaled, and said", config.FieldFilter{Scale: ptr(1.8), Offset: ptr(32), Unit: "[degF]"}, "[degF]"},
		{"said", config.FieldFilter{Unit: "K"}, "K"},
	} {
		if got := Field(test.config, drivers.Field{Name: "v", Unit: "Cel", Kind: drivers.KindFloat}); got.Unit != test.want {
			t.Errorf("%s: want %q, got %q", test.name, test.want, got.Unit)
		}
	}
	if err := (config.FieldFilter{Unit: "\x1b[2J"}).Check(drivers.KindFloat); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a unit that a terminal obeys: %v", err)
	}
}
