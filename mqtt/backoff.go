package mqtt

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Backoff is the delay between attempts to connect: a random time between 0 and a limit that starts
// at Min and doubles up to Max (full jitter). The limit goes back to Min only after a connection
// that lasted StableAfter. If there are several URLs, the client tries each of them before it
// waits.
//
// After a failed attempt that is likely to fail in the same way again (Diagnosis.Permanent), the
// delay is between half of Max and Max. Some reason codes make any other delay longer: by 5s if the
// broker is busy (0x89), by 10s if the session was taken over (0x8E), by 30s if a quota (0x97) or
// the connection rate (0x9F) was exceeded.
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
