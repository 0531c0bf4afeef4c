package uplink

import "time"

const (
	pacerTarget = 250 * time.Millisecond // what the backlog may add to the round trip
	pacerMin    = 4 << 10                // bytes in flight
	pacerMax    = 512 << 10
)

// pacer bounds the backlog's bytes in flight. Without knowing the line it finds what the line
// carries in a quarter of a second: as long as a message comes back within the target above the
// quickest round trip the budget grows by what was acknowledged (it doubles with each round trip);
// when it takes longer the budget shrinks in proportion.
type pacer struct {
	budget int
	base   time.Duration // the quickest round trip of this connection
}

func newPacer() pacer { return pacer{budget: 4 * pacerMin} }

// seen learns from the round trip of any message. The first ones of a connection, small and on an
// empty line, show best what the line takes when nothing waits.
func (p *pacer) seen(trip time.Duration) {
	if p.base == 0 || trip < p.base {
		p.base = trip
	}
}

// acked learns from one acknowledged message of the backlog.
func (p *pacer) acked(bytes int, trip time.Duration) {
	p.seen(trip)
	if delay := trip - p.base; delay <= pacerTarget {
		p.budget += bytes
	} else {
		p.budget = int(float64(p.budget) * float64(pacerTarget) / float64(delay))
	}
	p.budget = max(pacerMin, min(p.budget, pacerMax))
}
