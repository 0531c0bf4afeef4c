package uplink

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestLiveReadingsAreNotStuckBehindABurst: on a line whose round trips take up to 100 ms 300
// events, 100 retained documents and a backlog go out. Of live readings, one every 50 ms, each
// leaves at the latest one round trip later.
func TestLiveReadingsAreNotStuckBehindABurst(t *testing.T) {
	const trip, step, every = 100 * time.Millisecond, 5 * time.Millisecond, 10
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

				type underway struct {
					flight
					due time.Time
				}
				var line []underway
				var measured []time.Time
				var worst time.Duration
				sent, left := 0, 0
				for n := range 300 {
					if n%every == every/2 {
						r.measure("a", 1)
						measured = append(measured, time.Now())
					}
					for _, f := range r.settled() {
						sent++ // the trips differ, so that acknowledgements come one by one
						line = append(line, underway{f, time.Now().Add(trip - time.Duration(sent*3%10)*step)})
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
					line = slices.DeleteFunc(line, func(u underway) bool {
						if time.Now().Before(u.due) {
							return false
						}
						u.done(0, nil)
						return true
					})
				}
				if waiting := int(trip / (every * step)); left < len(measured)-waiting || worst > trip+step {
					t.Errorf("%d of %d readings left, the latest after %v", left, len(measured), worst)
				}
				for _, u := range line {
					u.done(0, nil)
				}
				r.close()
			})
		})
	}
}
