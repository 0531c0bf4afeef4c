package kit

import (
	"math"
	"testing"
)

func TestHumidityAt(t *testing.T) {
	tests := []struct {
		name               string
		rh, from, to, want float64
	}{
		{"same temperature", 42, 20, 20, 42},
		{"saturation of 31.9 hPa at 25.08 °C and 28.3 hPa at 23.08 °C", 50, 25.08, 23.08, 56.4},
		{"no more than 100", 99, 25, 20, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := HumidityAt(test.rh, test.from, test.to); math.Abs(got-test.want) > 0.1 {
				t.Errorf("want %v %%RH, got %v", test.want, got)
			}
		})
	}
}
