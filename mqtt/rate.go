package mqtt

import "time"

// rateShare and burstShare divide a limit so that in no second more than the limit is written: the
// bucket fills with the one and holds the other. What is left is for clocks that differ and for a
// line that is now slower, now faster.
const (
	rateShare  = 0.96
	burstShare = 0.02
	burstMin   = 4 << 10 // bytes: a batch that is worth its header
)

// Burst returns how large a packet may be, in bytes, so that Config.BytesRate holds in any second;
// 0 for no limit. The bucket holds two: what a timer is late would else be lost.
func Burst(bytesRate int) int {
	if bytesRate == 0 {
		return 0
	}
	return max(int(float64(bytesRate)*burstShare/2), burstMin)
}

// A bucket is a token bucket. The zero value has no limit.
type bucket struct {
	rate, burst float64 // tokens a second, tokens at most
	tokens      float64
	at          time.Time
}

// wait returns how long it takes until n may be taken; of what is more than the bucket holds, until
// it is full.
func (b *bucket) wait(n float64, now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	if b.at.IsZero() {
		b.tokens = b.burst
	} else {
		b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*b.rate, b.burst)
	}
	b.at = now
	if missing := min(n, b.burst) - b.tokens; missing > 1e-9 {
		return time.Duration(missing/b.rate*float64(time.Second)) + 1
	}
	return 0
}

// A pace is what Config.PublishRate and Config.BytesRate allow. It belongs to the client, not to a
// connection, since a broker may count over connections.
type pace struct{ messages, bytes bucket }

func newPace(messages float64, bytes int) pace {
	return pace{
		bucket{rate: messages * rateShare, burst: max(messages*burstShare, 1)},
		bucket{rate: float64(bytes) * rateShare, burst: 2 * float64(Burst(bytes))},
	}
}

// take takes what a packet of this size costs, or returns how long that has to wait.
func (p *pace) take(size int, now time.Time) (wait time.Duration) {
	if wait = max(p.messages.wait(1, now), p.bytes.wait(float64(size), now)); wait == 0 {
		p.messages.tokens--
		p.bytes.tokens -= float64(size)
	}
	return wait
}
