package kit

import (
	"fmt"
	"math"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestCheckOneOfAndRange(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		err  error
		want string
	}{
		{CheckOneOf("samples", 4, 1, 4, 16), ""},
		{CheckOneOf("samples", 3, 1, 4, 16), "option samples: 3; want 1, 4 or 16"},
		{CheckRange("offset", -20, -20, 20, "°C"), ""},
		{CheckRange("offset", 21, -20, 20, "°C"), "option offset: 21 °C; want -20 to 20"},
		{CheckRange("offset", nan, -20, 20, "°C"), "option offset: NaN °C; want -20 to 20"},
	} {
		if test.want == "" && test.err != nil || test.want != "" && fmt.Sprint(test.err) != test.want {
			t.Errorf("want %q, got %v", test.want, test.err)
		}
	}
}

func TestMeasured(t *testing.T) {
	f := Field("t", drivers.Temperature, drivers.Between(-40, 85), "")
	if got := Measured(f, 25.0849, 2); got != drivers.Float("t", 25.08) {
		t.Errorf("got %#v", got)
	}
	for _, v := range []float64{-40.1, 85.1} {
		if got := Measured(f, v, 2); got != drivers.Bad("t", "range") {
			t.Errorf("%v: got %#v", v, got)
		}
	}
}
