package filter

import (
	"math"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A float32 whose words are in the wrong order comes as a number that means nothing: the message
// has it.
func TestExplain(t *testing.T) {
	tests := []struct {
		name   string
		config config.FieldFilter
		value  drivers.Value
		want   string
	}{
		{"good", config.FieldFilter{Min: ptr(100), Max: ptr(400)}, drivers.Float("v", 230), ""},
		{"outside", config.FieldFilter{Min: ptr(100), Max: ptr(400)}, drivers.Float("v", 4.17e-08),
			"4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?"},
		{"below", config.FieldFilter{Min: ptr(0)}, drivers.Int("v", -7), "-7 is below 0 (field.v.min): scale, type or word_order wrong?"},
		{"above", config.FieldFilter{Max: ptr(400)}, drivers.Int("v", 58982), "58982 is above 400 (field.v.max): scale, type or word_order wrong?"},
		{"what came is scaled", config.FieldFilter{Scale: ptr(10), Max: ptr(400)}, drivers.Int("v", 41), "410 is above 400 (field.v.max): scale, type or word_order wrong?"},
		{"what the driver says", config.FieldFilter{Min: ptr(100)}, drivers.Bad("v", "exception 2"), "exception 2"},
		{"not finite", config.FieldFilter{Min: ptr(-1)}, drivers.Float("v", math.NaN()), "range"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := New(map[string]config.FieldFilter{"v": test.config}, nil)
			// what came before does not matter
			c.Apply(0, []drivers.Value{drivers.Float("w", 1), drivers.Float("v", 1e9)})
			values := []drivers.Value{test.value, drivers.Float("w", 1)}
			c.Convert(values)
			why := c.Explain(values)
			if why["v"] != test.want || test.want == "" && why != nil || len(why) > 1 {
				t.Errorf("want %q, got %q", test.want, why)
			}
		})
	}
}
