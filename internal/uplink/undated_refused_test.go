package uplink

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/payload/influx"
)

// TestUndatedIsRefused: a topic of readings without a time that is refused, or to which nobody has
// subscribed, keeps no others waiting.
func TestUndatedIsRefused(t *testing.T) {
	for name, code := range map[string]byte{"refused": 0x87, "nobody": codeNoSubscribers} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 3000
				lines := func(c *Config) { c.Encoder, c.Hold = new(influx.Encoder), true }
				r := newRig(t, nil)
				r.clock.unknown = map[string]bool{"k1": true}
				for _, r.kernel = range []string{"k0", "k1", "k2"} {
					r.plenty(lines)
					r.measure("a", n)
					r.measure("b", n)
				}
				r.uplink.SetLink(Link{Up: true, Window: 20})
				arrived := map[string]map[string]bool{}
				allow := false
				work := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
						for _, f := range r.settled() {
							if !allow && strings.HasSuffix(f.Topic, "/undated") {
								f.done(code, nil)
								continue
							}
							for _, id := range readingsOf(t, f) {
								if arrived[f.Topic] == nil {
									arrived[f.Topic] = map[string]bool{}
								}
								arrived[f.Topic][id] = true
							}
							f.done(0, nil)
						}
					}
				}
				work(15 * time.Minute)
				for _, topic := range []string{"a/late", "b/late"} {
					if got := len(arrived["fieldgate/g/telemetry/"+topic]); got != 2*n {
						t.Errorf("%s: %d readings with a time, want %d", topic, got, 2*n)
					}
				}
				allow = true
				work(30 * time.Minute)
				for _, topic := range []string{"a/undated", "b/undated"} {
					if got := len(arrived["fieldgate/g/telemetry/"+topic]); got != n {
						t.Errorf("%s: %d readings, want %d", topic, got, n)
					}
				}
				if left := r.close(); left != 0 {
					t.Errorf("%d records are left", left)
				}
			})
		})
	}
}
