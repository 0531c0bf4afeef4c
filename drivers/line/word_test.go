package line

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestNumbers(t *testing.T) {
	const (
		float = drivers.KindFloat
		whole = drivers.KindInt
	)
	for _, test := range []struct {
		kind    drivers.Kind
		decimal string
		word    string
		want    string
	}{
		{float, ".", "- 12.5", "-12.5(float)"},
		{float, ".", "+   0.5", "0.5(float)"},
		{float, ".", "1,234.5", "1234.5(float)"},
		{float, ".", "-12,345,678", "-1.2345678e+07(float)"},
		{float, ".", "1,234", "bad(decimal comma)"},
		{float, ".", "21,5", "bad(decimal comma)"},
		{float, ".", "1.234,5", "bad(decimal comma)"},
		{float, ".", "1,23.5", "bad(format)"},
		{float, ".", "1,2345.5", "bad(format)"},
		{float, ".", "0,123.5", "bad(format)"},
		{float, ".", "1.2.3", "bad(format)"},
		{float, ".", "1 234", "bad(format)"},
		{float, ".", "--5", "bad(format)"},
		{float, ".", "-", "bad(format)"},
		{float, ".", ".", "bad(format)"},
		{float, ".", ",", "bad(format)"},
		{float, ".", "- nan", "bad(format)"},
		{float, ".", strings.Repeat("9", 100), "1e+100(float)"},
		{float, ".", "- " + strings.Repeat("9", 100), "bad(format)"},
		{float, ",", "21,5", "21.5(float)"},
		{float, ",", "- 21,5", "-21.5(float)"},
		{float, ",", "1,5E+03", "1500(float)"},
		{float, ",", "1.234,5", "1234.5(float)"},
		{float, ",", "1.234", "1234(float)"},
		{float, ",", "1.234.567", "1.234567e+06(float)"},
		{float, ",", "21.5", "bad(format)"},
		{float, ",", "0.123", "bad(format)"},
		{float, ",", "1,234.5", "bad(format)"},
		{float, ",", "7", "7(float)"},
		{float, ",", "NaN", "bad(not measured)"},
		{float, ",", "1e999", "bad(range)"},
		{whole, ".", "- 7", "-7(int)"},
		{whole, ".", "7.00", "7(int)"},
		{whole, ".", "1,234,567", "1234567(int)"},
		{whole, ".", "1,234", "bad(decimal comma)"},
		{whole, ".", "9223372036854775807.0", "9223372036854775807(int)"},
		{whole, ".", "9223372036854775808.0", "bad(range)"},
		{whole, ".", "1e3", "bad(format)"},
		{whole, ",", "1.234", "1234(int)"},
		{whole, ",", "7,5", "bad(format)"},
	} {
		r := fieldReader{name: "a", kind: test.kind, comma: test.decimal == ","}
		if got := fmt.Sprintf("%#v", r.value(test.word)); got != "a="+test.want {
			t.Errorf("decimal %q, %q: want %s, got %s", test.decimal, test.word, test.want, got)
		}
	}
}
