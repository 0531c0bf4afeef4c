package drivers_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

// decimal returns the number that the shortest decimal of v says, exactly.
func decimal(v float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'f', -1, 64))
	if !ok {
		panic(v)
	}
	return r
}

// onPaper is the model of Linear: exact decimal arithmetic, and the nearest float64 of the result.
func onPaper(v, scale, offset float64) float64 {
	x := new(big.Rat).Mul(decimal(v), decimal(scale))
	f, _ := x.Add(x, decimal(offset)).Float64()
	return f
}

func TestLinear(t *testing.T) {
	tests := []struct {
		v, scale, offset, want float64
	}{
		{23773, 0.01, 0, 237.73},
		{2301, 0.1, 0, 230.1},
		{-12345, 0.001, 0, -12.345},
		{3, 0.1, 0, 0.3},
		{21.54, 1.8, 32, 70.772},
		{2731, 0.1, -273.15, -0.05},
		{1001325, 0.01, 0, 10013.25},
		{0.1, 3, 0, 0.3},
		{4294967295, 0.0001, 0, 429496.7295},
		{7, 1, 0.1, 7.1},
		{0.07, 100, 0, 7},
		{1, 1e-9, 0, 1e-9},
		{5, -0.1, 0.5, 0},
		{3, -0.1, 0.3, 0},
		{0, -1, 0, 0},
		{3, 1.0 / 3, 0, 3 * (1.0 / 3)},
	}
	for _, test := range tests {
		got := drivers.NewLinear(test.scale, test.offset).Apply(test.v)
		if got != test.want || math.Signbit(got) != math.Signbit(test.want) {
			t.Errorf("%v × %v + %v = %v, want %v", test.v, test.scale, test.offset, got, test.want)
		}
	}
	for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64} {
		if got := drivers.NewLinear(10, 1).Apply(v); !math.IsInf(got, 0) && !math.IsNaN(got) {
			t.Errorf("10 × %v + 1 = %v", v, got)
		}
	}
}

// TestLinearIsArithmeticOnPaper compares numbers as devices have them with exact decimal
// arithmetic.
func TestLinearIsArithmeticOnPaper(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func(digits, decimals int) float64 {
		v := float64(random.Int64N(int64(math.Pow10(digits)))) / math.Pow10(random.IntN(decimals+1))
		if random.IntN(2) == 0 {
			v = -v
		}
		return v
	}
	for range 200_000 {
		v, scale, offset := number(10, 3), number(3, 4), number(5, 3)
		if random.IntN(3) == 0 {
			offset = 0
		}
		got, want := drivers.NewLinear(scale, offset).Apply(v), onPaper(v, scale, offset)
		if math.Abs(v*scale) < 1e6 && got != want {
			t.Fatalf("%v × %v + %v = %v, on paper %v", v, scale, offset, got, want)
		}
		if math.Abs(got-want) > 1e-15*(math.Abs(v*scale)+math.Abs(offset)) {
			t.Fatalf("%v × %v + %v = %v, far from %v", v, scale, offset, got, want)
		}
	}
}

func TestDecimals(t *testing.T) {
	tests := []struct {
		v    float64
		want int
	}{
		{0, 0}, {7, 0}, {1e14, 0}, {0.5, 1}, {237.73, 2}, {-0.001, 3}, {1e-9, 9}, {0.0000152587890625, 16},
		{1.0 / 3, -1}, {237.73000000000002, -1}, {1e300, -1}, {math.Inf(1), -1}, {math.NaN(), -1}, {1e-300, -1},
	}
	for _, test := range tests {
		if got := drivers.Decimals(test.v); got != test.want {
			t.Errorf("Decimals(%v) = %d, want %d", test.v, got, test.want)
		}
	}
}

func TestFloat32IsItsShortestDecimal(t *testing.T) {
	for _, v := range []float32{0, 230.1, -0.1, 1e-20, 3e38, 16777216, 123456789, math.SmallestNonzeroFloat32, math.MaxFloat32} {
		text := strconv.FormatFloat(float64(v), 'g', -1, 32)
		if got := strconv.FormatFloat(drivers.Float32(v), 'g', -1, 64); got != text {
			t.Errorf("Float32(%s) = %s", text, got)
		}
	}
	if v := drivers.Float32(float32(math.Inf(1))); !math.IsInf(v, 1) {
		t.Errorf("Float32(+Inf) = %v", v)
	}
	if v := drivers.Float32(float32(math.NaN())); !math.IsNaN(v) {
		t.Errorf("Float32(NaN) = %v", v)
	}
}

func BenchmarkLinear(b *testing.B) {
	l := drivers.NewLinear(0.01, -40)
	b.ReportAllocs()
	for i := range b.N {
		sink = l.Apply(float64(i) / 10)
	}
}

func BenchmarkFloat32(b *testing.B) {
	b.ReportAllocs()
	for i := range b.N {
		sink = drivers.Float32(float32(i) / 10)
	}
}

var sink float64
