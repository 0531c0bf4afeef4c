package drivers

import (
	"math"
	"testing"
)

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		field Field
		want  string
	}{
		{Field{Unit: "Cel", Kind: KindFloat, Range: Between(-40, 85), Doc: "of the chip"}, "-40 to 85 °C, of the chip"},
		{Field{Unit: "Pa", Kind: KindFloat, Range: Between(30_000, 110_000)}, "30,000 to 110,000 Pa"},
		{Field{Unit: "%RH", Kind: KindFloat, Range: Between(0, 100)}, "0 to 100 % relative"},
		{Field{Unit: "ug/m3", Kind: KindFloat, Range: Between(0, 999.9), Doc: "of dust"}, "0 to 999.9 µg/m³, of dust"},
		{Field{Unit: "W", Kind: KindFloat, Range: Between(-1234.56789, 1e6)}, "-1,234.5679 to 1,000,000 W"},
		{Field{Unit: "B", Kind: KindInt, Range: AtLeast(0), Doc: "free"}, "free"},
		{Field{Kind: KindInt, Range: AnyNumber(), Doc: "a register"}, "a register"},
		{Field{Kind: KindBool, Doc: "open"}, "open"},
	} {
		if got := tt.field.Describe(); got != tt.want {
			t.Errorf("want %q, got %q", tt.want, got)
		}
	}
}

func TestContains(t *testing.T) {
	r := Between(-40, 85)
	for v, want := range map[float64]bool{-40: true, 85: true, -40.01: false, 85.01: false, math.NaN(): false} {
		if r.Contains(v) != want {
			t.Errorf("%v: want %v", v, want)
		}
	}
	if !AnyNumber().Contains(-1e300) || AtLeast(0).Contains(-1) {
		t.Error("a range without an end")
	}
}
