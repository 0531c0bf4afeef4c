package filter

import "github.com/fieldgate/fieldgate/drivers"

// A mean is the moving mean of as many numbers as values has room for.
type mean struct {
	values []float64 // a ring
	next   int       // where the next number goes
	n      int       // how many numbers there are
}

// add puts a number in the place of the oldest and returns the mean. It adds up again each time, so
// that rounding errors do not gather over years; a window is short.
func (m *mean) add(x float64) float64 {
	m.values[m.next] = x
	m.next = (m.next + 1) % len(m.values)
	m.n = min(m.n+1, len(m.values))
	sum := 0.0
	for _, v := range m.values[:m.n] {
		sum += v / float64(m.n) // divided first: the sum of great numbers might not be finite
	}
	return drivers.RoundMean(sum, m.values[:m.n]...)
}
