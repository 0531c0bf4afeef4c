package filter

import (
	"math"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// steps is what a field has beyond scale, offset, bounds and average. Most fields have none.
type steps struct {
	table  [][]float64 // config.Calibration
	median *median
	delta  bool
	rate   time.Duration
	// modulus is how many values the counter has, in the scaled unit; 0: it does not wrap.
	modulus float64
	counter bool // a value below the last one is a wrap or a reset
	clamp   []float64
	round   *int

	measured bool // last and at are set
	last     float64
	at       time.Duration
}

// bits are how wide the counters of config.Counters are.
var bits = map[string]int{"uint8": 8, "uint16": 16, "uint32": 32}

// newSteps returns the steps of a configuration; nil if it has none.
func newSteps(c config.FieldFilter) *steps {
	if c.Calibration == nil && c.Median < 2 && !c.Delta && c.Rate == 0 && c.Clamp == nil && c.Round == nil {
		return nil
	}
	s := &steps{table: c.Calibration, delta: c.Delta || c.Rate > 0, rate: c.Rate, counter: c.Counter != "", clamp: c.Clamp, round: c.Round}
	if c.Median > 1 {
		s.median = &median{newest: make([]float64, 0, c.Median), sorted: make([]float64, 0, c.Median)}
	}
	if n := bits[c.Counter]; n > 0 {
		s.modulus = math.Ldexp(1, n)
		if c.Scale != nil {
			s.modulus = drivers.NewLinear(*c.Scale, 0).Apply(s.modulus)
		}
	}
	return s
}

// calibrate returns what the table makes of a number.
func (s *steps) calibrate(x float64) float64 {
	i, exact := slices.BinarySearchFunc(s.table, x, func(p []float64, x float64) int {
		switch {
		case p[0] < x:
			return -1
		case p[0] > x:
			return 1
		}
		return 0
	})
	if exact {
		return s.table[i][1]
	}
	i = max(1, min(i, len(s.table)-1))
	a, b := s.table[i-1], s.table[i]
	return significant(a[1] + (x-a[0])*(b[1]-a[1])/(b[0]-a[0]))
}

// change makes of a value its difference from the last good one, or that in a time. The first value
// has none.
func (s *steps) change(v drivers.Value, up time.Duration) drivers.Value {
	x, last, elapsed := v.Float(), s.last, up-s.at
	first := !s.measured
	s.measured, s.last, s.at = true, x, up
	switch {
	case first, s.rate > 0 && elapsed <= 0:
		return drivers.Bad(v.Field, "first reading")
	case s.counter && math.Abs(x) < math.Abs(last): // a negative scale counts downwards
		if d := x - last + s.modulus; s.modulus != 0 && math.Abs(d) <= math.Abs(s.modulus)/2 {
			last = x - d
		} else {
			last = 0
		}
	}
	d := drivers.NewLinear(1, -last).Apply(x)
	if s.rate > 0 {
		d = significant(d / elapsed.Seconds() * s.rate.Seconds())
	}
	return drivers.Float(v.Field, d)
}

// limit clamps and rounds a number.
func (s *steps) limit(v drivers.Value) drivers.Value {
	if s.clamp == nil && (s.round == nil || v.Kind() == drivers.KindInt) {
		return v
	}
	x := v.Float()
	if s.clamp != nil {
		x = max(s.clamp[0], min(x, s.clamp[1]))
	}
	if s.round != nil {
		x = drivers.Round(x, *s.round)
	}
	return drivers.Float(v.Field, x)
}

// significant rounds to nine significant digits: more than any sensor has, and fewer than the
// arithmetic spoils.
func significant(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	return drivers.Round(x, 8-int(math.Floor(math.Log10(math.Abs(x)))))
}

// A median is the moving median of as many numbers as newest has room for.
type median struct {
	newest, sorted []float64
	next           int // where in newest the next number goes
}

// add puts a number in the place of the oldest and returns the median.
func (m *median) add(x float64) float64 {
	if len(m.newest) < cap(m.newest) {
		m.newest = append(m.newest, x)
	} else {
		m.newest[m.next] = x
		m.next = (m.next + 1) % len(m.newest)
	}
	m.sorted = append(m.sorted[:0], m.newest...)
	slices.Sort(m.sorted)
	n := len(m.sorted)
	if n%2 == 1 {
		return m.sorted[n/2]
	}
	low, high := m.sorted[n/2-1], m.sorted[n/2]
	return drivers.RoundMean(low/2+high/2, low, high)
}
