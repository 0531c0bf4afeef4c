package page

import (
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
)

// A shape is what readings look like: means of a reading.
type shape struct {
	fields float64
	names  float64 // bytes of the fields' names, of which compression leaves one set in a commit
}

// What the store takes at most, in bytes, of what sensors give in practice. internal/sizing
// measures what a configuration takes.
const (
	bytesPerReading = 24
	bytesPerField   = 12
	bytesPerCommit  = 120
	bytesBesides    = 5 << 20
)

// lasts says for how long an outage would fit into the store at the present rate; "" if that is not
// known.
func lasts(q contract.QueueHealth, s shape, maxLoss time.Duration) string {
	room := roomFor(float64(q.MaxBytes), float64(q.Bytes), q.RateIn, s, maxLoss)
	const years = 5 * 365 * 24 * time.Hour
	switch {
	case room <= 0:
		return ""
	case room > years:
		return "an outage of years fits"
	}
	return "an outage of at least " + health.Span(room) + " fits"
}

// roomFor returns how long an outage would at least take to fill the store; 0: it is not known.
func roomFor(most, used, rate float64, s shape, maxLoss time.Duration) time.Duration {
	if rate <= 0 {
		return 0
	}
	commits := rate
	if maxLoss > 0 {
		commits = min(commits, 2/maxLoss.Seconds())
	}
	seconds := (0.9*most - max(used, bytesBesides)) / (rate*(bytesPerReading+bytesPerField*s.fields) + commits*(bytesPerCommit+s.names))
	return time.Duration(min(max(seconds, 0), 1e9) * float64(time.Second))
}
