package health

import "time"

const (
	meterEvery = 5 * time.Second
	meterSpan  = 12 // samples: a minute
)

// sample is the store's counters at a moment.
type sample struct {
	up        time.Duration
	appended  uint64
	delivered uint64
	bytes     int64  // that the store takes
	written   uint64 // bytes that it wrote
	dropped   uint64
}

// rates are per second: readings in, out and dropped, growth of the store in bytes, bytes written.
type rates struct{ in, out, dropped, growth, written float64 }

// A meter keeps a minute of samples and derives rates from them.
type meter struct {
	ring [meterSpan + 1]sample
	n    int // samples taken, ever

	first time.Duration // when the first was
}

// add takes a sample unless the last one is still fresh.
func (m *meter) add(s sample) {
	if m.n > 0 && s.up-m.newest().up < meterEvery {
		return
	}
	if m.n == 0 {
		m.first = s.up
	}
	m.ring[m.n%len(m.ring)] = s
	m.n++
}

func (m *meter) newest() sample { return m.ring[(m.n-1)%len(m.ring)] }

func (m *meter) oldest() sample {
	if m.n <= len(m.ring) {
		return m.ring[0]
	}
	return m.ring[m.n%len(m.ring)]
}

// rates returns what happened per second between the oldest sample and now; nothing while they are
// too near for a rate.
func (m *meter) rates(now sample) rates {
	if m.n == 0 {
		return rates{}
	}
	from := m.oldest()
	span := (now.up - from.up).Seconds()
	if span < meterEvery.Seconds() {
		return rates{}
	}
	return rates{float64(now.appended-from.appended) / span, float64(now.delivered-from.delivered) / span,
		float64(now.dropped-from.dropped) / span, float64(now.bytes-from.bytes) / span, float64(now.written-from.written) / span}
}
