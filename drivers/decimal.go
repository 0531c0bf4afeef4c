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

// A Linear multiplies a number by a scale and adds an offset, in decimal as on paper: 23773 with a
// scale of 0.01 is 237.73, not 237.73000000000002. The result has as many decimals as the number,
// the scale and the offset make. A scale that is not a short decimal, such as 1.0/3, is multiplied
// in binary. NewLinear makes one; the zero value turns every number into 0.
type Linear struct {
	scale, offset         float64
	scaleDecs, offsetDecs int
}

// NewLinear returns the Linear of a scale and an offset.
func NewLinear(scale, offset float64) Linear {
	return Linear{scale, offset, Decimals(scale), Decimals(offset)}
}

// Apply returns v × scale + offset.
func (l Linear) Apply(v float64) float64 {
	product := float64(v * l.scale) // rounded: arm64 and riscv64 would multiply and add in one
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
	return math.Round(sum*pow10[decs])/pow10[decs] + 0 // of -0 and 0 it is 0
}

// Revert undoes Apply: it returns the number that Apply turns into v. The scale must not be 0.
func (l Linear) Revert(v float64) float64 {
	product := NewLinear(1, -l.offset).Apply(v)
	decs := Decimals(product)
	if decs < 0 || l.scaleDecs < 0 {
		return product / l.scale
	}
	p := pow10[max(decs, l.scaleDecs)]
	return math.Round(product*p) / math.Round(l.scale*p)
}

// Decimals returns how many digits after the point the shortest decimal of v has; -1 if v is not a
// decimal of up to 15 digits in all.
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

// Round rounds v to that many digits after the point. It returns v itself if a float64 of that size
// has no more digits, or if decimals is not 0 to 22.
func Round(v float64, decimals int) float64 {
	if decimals < 0 || decimals > maxDecimals || !(math.Abs(v)*pow10[decimals] < exactInt) {
		return v
	}
	return math.Round(v*pow10[decimals]) / pow10[decimals]
}

// RoundMean rounds mean, the mean of the numbers in of, to three digits more after the point than
// these have.
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

// Float32 returns the float64 that is written with the shortest decimal of v: 230.1, whereas
// float64(v) is 230.10000610351562.
func Float32(v float32) float64 {
	var room [32]byte
	x, err := strconv.ParseFloat(string(strconv.AppendFloat(room[:0], float64(v), 'g', -1, 32)), 64)
	if err != nil { // cannot be: it is what strconv wrote
		return float64(v)
	}
	return x
}
