package payload_test

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/internal/payload"
)

// FuzzAppendString: what is appended is JSON and reads back as the text, but for bytes that are not
// UTF-8.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "grün", "a\"b\\c\n\x00\x1f\u2028", "\xff\xfe", "𝄞"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(payload.AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("want %q, got %q", s, got)
		}
	})
}

// FuzzAppendFloat: the number reads back as itself.
func FuzzAppendFloat(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), 21.54, 101325, 1e-7, 1e21, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64, -0.1} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Skip("drivers.Float does not let it through")
		}
		var got float64
		text := payload.AppendFloat(nil, v)
		if err := json.Unmarshal(text, &got); err != nil || got != v {
			t.Errorf("%v became %s: %v, %v", v, text, got, err)
		}
	})
}
