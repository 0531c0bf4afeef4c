package health

import (
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestARateThatIsTooLowIsNamed: once readings have waited for minutes, and only if a rate is set.
func TestARateThatIsTooLowIsNamed(t *testing.T) {
	for _, limited := range []bool{true, false} {
		up := time.Duration(0)
		m := New(func() Figures {
			taken := uint64(up.Seconds()) * 10
			return Figures{Up: up, Limited: limited, Link: contract.LinkHealth{Connected: true}, Delivered: taken / 5,
				Store: buffer.Stats{Appended: taken, Live: int64(taken - taken/5)}}
		})
		first := time.Duration(0)
		for ; up < 10*time.Minute; up += 10 * time.Second {
			text := strings.Join(m.Snapshot().Reasons, "; ")
			if strings.Contains(text, "10 readings a second are taken, and mqtt.publish_rate or mqtt.bytes_rate lets 2 go") && first == 0 {
				first = up
			}
		}
		if limited != (first >= 2*time.Minute && first <= 3*time.Minute) {
			t.Errorf("limited %v: named after %v", limited, first)
		}
	}
}
