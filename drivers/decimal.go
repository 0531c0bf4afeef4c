package drivers

import (
	"math"
	"strconv"
)

// Powers of ten that a float64 holds exactly, and with an integer below exactInt the nearest
// float64 of their quotient is the decimal number.
const (
	maxDecimals = 22
	exactInt    = 1 << 53
)

var pow10 = [maxDecimals + 1]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// A Linear multiplies a number by a scale and adds an offset in decimal arithmetic, as one does on
// paper: 23773 with a scale of 0.01 is 237.73, not 237.73000000000002. The result has no more
// decimals than the product and the offset have on paper. If a number is not a decimal of up to 15
// digits, such as a scale of 1.0/3, or the result has too many digits, the arithmetic is that of
// float64. NewLinear makes one; the zero value turns every number into 0.
type Linear struct {
	scale, offset         float64
	scaleDecs, offsetDecs int
}

// NewLinear returns the Linear with this scale and offset.
func NewLinear(scale, offset float64) Linear {
	return Linear{scale, offset, Decimals(scale), Decimals(offset)}
}

// Apply returns v × scale + offset.
func (l Linear) Apply(v float64) float64 {
	product := v * l.scale
	sum := product + l.offset
	if l.scaleDecs < 0 || l.offsetDecs < 0 {
		return sum
	}
	decs := Decimals(v)
	if decs < 0 {
		return sum
	}
	decs = max(decs+l.scaleDecs, l.offsetDecs)
	// Rounding mends the error of the arithmetic only if that is far below half of the last
	// decimal.
	if decs > maxDecimals || max(math.Abs(product), math.Abs(l.offset))*pow10[decs] >= exactInt/8 {
		return sum
	}
	return math.Round(sum*pow10[decs]) / pow10[decs]
}

// Revert is the inverse of Apply: it returns the number that Apply turns into v, or a number close
// to it. The scale must not be 0.
func (l Linear) Revert(v float64) float64 {
	product := NewLinear(1, -l.offset).Apply(v)
	decs := Decimals(product)
	if decs < 0 || l.scaleDecs < 0 {
		return product / l.scale
	}
	p := pow10[max(decs, l.scaleDecs)]
	return math.Round(product*p) / math.Round(l.scale*p)
}

// Decimals returns how many digits after the point the shortest decimal of v has: 2 for 237.73. It
// returns -1 if v is not a decimal of up to 15 digits in all, as 1.0/3, infinities and NaN.
func Decimals(v float64) int {
	for decs, p := range pow10 {
		whole := math.Round(v * p)
		if !(math.Abs(whole) < 1e15) { // NaN as well
			break
		}
		if whole/p == v {
			return decs
		}
	}
	return -1
}

// Round returns v rounded to this many digits after the point, halves away from zero. It returns v
// itself if decimals is negative or a float64 of this size has no more digits than that.
func Round(v float64, decimals int) float64 {
	if decimals < 0 || decimals > maxDecimals || !(math.Abs(v)*pow10[decimals] < exactInt) {
		return v
	}
	return math.Round(v*pow10[decimals]) / pow10[decimals]
}

// RoundMean rounds the mean of some numbers to three more digits after the point than any number in
// of has. These are the numbers, or some that stand for all, such as the lowest and the highest. If
// one of them is not a decimal (see Decimals), RoundMean returns mean as it is.
func RoundMean(mean float64, of ...float64) float64 {
	most := 0
	for _, v := range of {
		decs := Decimals(v)
		if decs < 0 {
			return mean
		}
		most = max(most, decs)
	}
	return Round(mean, most+3)
}

// Float32 converts v to the float64 that has the same shortest decimal: 230.1, for which float64(v)
// would return 230.10000610351562.
func Float32(v float32) float64 {
	var room [32]byte
	x, err := strconv.ParseFloat(string(strconv.AppendFloat(room[:0], float64(v), 'g', -1, 32)), 64)
	if err != nil { // cannot be: it is what strconv wrote
		return float64(v)
	}
	return x
}
