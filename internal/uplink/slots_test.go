package uplink

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestLiveReadingsAreNotStuckBehindABurst: on a line of 100 ms round trip 300 events, 100 retained
// documents and a backlog go out, and a live reading every 100 ms leaves at the latest one round
// trip later.
func TestLiveReadingsAreNotStuckBehindABurst(t *testing.T) {
	const trip, step = 100 * time.Millisecond, 5 * time.Millisecond
	for _, window := range []int{3, 4, 20} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.measure("b", 3000)
				r.again(nil)
				for range 300 {
					r.happen(contract.EventSensor)
				}
				for i := range 100 {
					r.uplink.Set(fmt.Sprintf("fieldgate/g/sensors/s%d", i), []byte("{}"), nil)
				}
				r.uplink.SetLink(Link{Up: true, Window: window})

				var measured []time.Time
				var worst time.Duration
				var under []flight // acknowledged a round trip after due
				var due []time.Time
				left := 0
				for n := range 400 {
					if n%20 == 10 {
						r.measure("a", 1)
						measured = append(measured, time.Now())
					}
					for _, f := range r.settled() {
						under, due = append(under, f), append(due, time.Now().Add(trip))
						if f.Topic != "fieldgate/g/telemetry/a" {
							continue
						}
						var m struct{ Readings []struct{ Seq uint64 } }
						if err := json.Unmarshal(f.Payload, &m); err != nil {
							t.Fatal(err)
						}
						for range m.Readings {
							worst = max(worst, time.Since(measured[left]))
							left++
						}
					}
					time.Sleep(step)
					for len(due) > 0 && !time.Now().Before(due[0]) {
						ack(under[:1], 0)
						under, due = under[1:], due[1:]
					}
				}
				if left < len(measured)-1 || worst > trip+step {
					t.Errorf("%d of %d readings left, the latest after %v", left, len(measured), worst)
				}
				ack(under, 0)
				r.close()
			})
		})
	}
}
