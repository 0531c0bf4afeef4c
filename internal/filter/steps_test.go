package filter

import (
	"fmt"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

func digits(n int) *int { return &n }

// TestSteps: readings of one field, one a second.
func TestSteps(t *testing.T) {
	thermistor := [][]float64{{0, 100}, {512, 25}, {1024, -40}}
	for _, test := range []struct {
		name   string
		config config.FieldFilter
		in     []float64
		want   string
	}{
		{"calibration at its points, between and beyond", config.FieldFilter{Calibration: thermistor}, []float64{0, 512, 1024, 256, 1536, -512}, "100 25 -40 62.5 -105 175"},
		{"calibration before bounds", config.FieldFilter{Calibration: thermistor, Max: ptr(99)}, []float64{0, 256}, "bad(range) 62.5"},
		{"median", config.FieldFilter{Median: 3}, []float64{1, 99, 2, 3, -99}, "1 50 2 3 2"},
		{"bad values do not enter the median", config.FieldFilter{Median: 3, Max: ptr(50)}, []float64{1, 99, 3, 2}, "1 bad(range) 2 2"},
		{"median before average", config.FieldFilter{Median: 3, Average: 2}, []float64{1, 1, 100, 1, 7}, "1 1 1 1 4"},
		{"delta", config.FieldFilter{Delta: true}, []float64{0.1, 0.3, 0.2}, "bad(first reading) 0.2 -0.1"},
		{"delta over a gap", config.FieldFilter{Delta: true}, []float64{1, bad, 5}, "bad(first reading) bad(range) 4"},
		{"rate of a meter in kWh as kW", config.FieldFilter{Rate: time.Hour}, []float64{100.5, 100.501, 100.503}, "bad(first reading) 3.6 7.2"},
		{"a counter that wraps", config.FieldFilter{Delta: true, Counter: "uint16"}, []float64{65530, 4, 10}, "bad(first reading) 10 6"},
		{"a counter that wraps, scaled", config.FieldFilter{Scale: ptr(0.1), Delta: true, Counter: "uint16"}, []float64{65530, 4}, "bad(first reading) 1"},
		{"a scaled and shifted counter that wraps", config.FieldFilter{Scale: ptr(10), Offset: ptr(5), Delta: true, Counter: "uint8"}, []float64{250, 4}, "bad(first reading) 100"},
		{"a counter that begins again", config.FieldFilter{Delta: true, Counter: "uint16"}, []float64{20000, 7, 9}, "bad(first reading) 7 2"},
		{"a counter that does not wrap", config.FieldFilter{Delta: true, Counter: "reset"}, []float64{65530, 4}, "bad(first reading) 4"},
		{"clamp after rate", config.FieldFilter{Delta: true, Clamp: []float64{0, 5}}, []float64{0, 9, 8, 10}, "bad(first reading) 5 0 2"},
		{"round after clamp", config.FieldFilter{Clamp: []float64{0, 0.55}, Round: digits(1)}, []float64{0.26, 7}, "0.3 0.6"},
		{"round to whole numbers", config.FieldFilter{Round: digits(0)}, []float64{2.4, -2.6}, "2 -3"},
		{"deadband is of the result", config.FieldFilter{Round: digits(0), OnChange: true}, []float64{2.4, 2.3, 1.4}, "2 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(map[string]config.FieldFilter{"v": test.config}, nil)
			if got := apply(c, test.in...); got != test.want {
				t.Errorf("want %s\n got %s", test.want, got)
			}
		})
	}
}

// TestComputed: each operation in decimal, with what is bad, dropped and renamed.
func TestComputed(t *testing.T) {
	fields := map[string]config.FieldFilter{
		"a":     {Scale: ptr(0.1), Rename: "alpha"},
		"b":     {Drop: true},
		"total": {Round: digits(0), OnChange: true},
	}
	computed := []config.Computed{
		{Field: "sum", Op: config.OpSum, Of: []string{"alpha", "b"}},
		{Field: "difference", Op: config.OpDifference, Of: []string{"alpha", "b"}},
		{Field: "product", Op: config.OpProduct, Of: []string{"alpha", "b"}},
		{Field: "ratio", Op: config.OpRatio, Of: []string{"alpha", "b"}},
		{Field: "total", Op: config.OpSum, Of: []string{"sum", "product"}},
	}
	for _, test := range []struct {
		a, b drivers.Value
		want string
	}{
		{drivers.Int("a", 3), drivers.Float("b", 0.2), "[alpha=0.3 sum=0.5 difference=0.1 product=0.06 ratio=1.5 total=1]"},
		{drivers.Int("a", 10), drivers.Float("b", 3), "[alpha=1 sum=4 difference=-2 product=3 ratio=0.333333333 total=7]"},
		{drivers.Int("a", 10), drivers.Int("b", 0), "[alpha=1 sum=1 difference=1 product=0 ratio=bad(division by zero) total=1]"},
		{drivers.Int("a", 10), drivers.Bad("b", "crc"), "[alpha=1 sum=bad(crc) difference=bad(crc) product=bad(crc) ratio=bad(crc) total=bad(crc)]"},
	} {
		for range 2 { // the second reading finds every field in its place
			c := New(fields, computed)
			got, keep := c.Apply(time.Hour, []drivers.Value{test.a, test.b})
			if text := show(got); !keep || text != test.want {
				t.Errorf("want %s\n got %s", test.want, text)
			}
			if _, keep := c.Apply(time.Hour+time.Second, []drivers.Value{test.a, test.b}); keep {
				t.Error("total did not change, but the reading is kept")
			}
			if text := show(c.Convert([]drivers.Value{test.a, test.b})); text != test.want {
				t.Errorf("convert: want %s\n got %s", test.want, text)
			}
		}
	}
}

func show(values []drivers.Value) string {
	text := []string{}
	for _, v := range values {
		s := v.Field + "="
		if v.Kind() == drivers.KindBad {
			s += "bad(" + v.Reason() + ")"
		} else {
			s += fmt.Sprint(v.Any())
		}
		text = append(text, s)
	}
	return fmt.Sprint(text)
}

// TestPartOfAReadingThatIsNotThere: a driver may leave fields out.
func TestPartOfAReadingThatIsNotThere(t *testing.T) {
	c := New(nil, []config.Computed{{Field: "sum", Op: config.OpSum, Of: []string{"a", "b"}}})
	got, _ := c.Apply(time.Hour, []drivers.Value{drivers.Int("a", 1)})
	if text := show(got); text != "[a=1 sum=bad(not measured)]" {
		t.Error(text)
	}
}

// TestStepsDoNotAllocate: with every step in use.
func TestStepsDoNotAllocate(t *testing.T) {
	c := New(map[string]config.FieldFilter{
		"a": {Calibration: [][]float64{{0, 0}, {10, 5}}, Median: 5, Average: 3, Rate: time.Minute, Clamp: []float64{0, 9}, Round: digits(2), Rename: "x"},
		"b": {Drop: true},
	}, []config.Computed{{Field: "sum", Op: config.OpSum, Of: []string{"x", "b"}}})
	up := time.Duration(0)
	values := make([]drivers.Value, 2)
	if n := testing.AllocsPerRun(1000, func() {
		up += time.Second
		values[0], values[1] = drivers.Float("a", float64(up%7)), drivers.Int("b", 1)
		c.Apply(up, values)
	}); n != 0 {
		t.Errorf("want no allocation, got %v", n)
	}
}
