package mqtt

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Backoff is the delay between attempts to connect: a random part (full jitter) of a time that
// starts at Min and doubles up to Max. It is reset only by a connection that lasted StableAfter.
// After a permanent refusal the delay is between half of Max and Max.
type Backoff struct {
	Min         time.Duration // default 1s
	Max         time.Duration // default 2m
	StableAfter time.Duration // default 20s
}

func (b Backoff) withDefaults() Backoff {
	setDefault(&b.Min, time.Second)
	setDefault(&b.Max, 2*time.Minute)
	setDefault(&b.StableAfter, 20*time.Second)
	b.Max = max(b.Max, b.Min)
	return b
}

// delay returns the time to wait after the given number of attempts without a stable connection,
// the last of which ended with err.
func (b Backoff) delay(attempts int, err error) time.Duration {
	if errors.Is(err, errForeignSession) {
		return 0
	}
	if refused, ok := errors.AsType[*ReasonError](err); err != nil && Diagnose(err).Permanent && (!ok || refused.Packet == "CONNACK") {
		return b.Max/2 + jitter(b.Max/2)
	}
	limit := b.Min
	for range attempts - 1 {
		limit = min(2*limit, b.Max)
	}
	return minDelay(err) + jitter(limit)
}

// minDelay returns the shortest delay that the reason in err allows: connections that push each
// other out of a session must not do it in a tight loop, and a busy broker must not be kept busy.
func minDelay(err error) time.Duration {
	switch reasonCode(err) {
	case packet.SessionTakenOver:
		return 10 * time.Second
	case packet.ConnectionRateExceeded, packet.QuotaExceeded:
		return 30 * time.Second
	case packet.ServerBusy:
		return 5 * time.Second
	}
	return 0
}

func jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return rand.N(limit)
}
