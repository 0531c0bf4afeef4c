package uplink

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
)

// timed is the format json for somebody who needs the time.
type timed struct{ payloadjson.Encoder }

func (timed) NeedsTime() bool { return true }

// TestReadingsWithoutATimeWait: those of this power-up until its time is known, those of an earlier
// one until the format does not need it. They keep nothing else waiting, are counted, and none is
// lost.
func TestReadingsWithoutATimeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		needs := func(c *Config) { c.Encoder = new(timed) }
		r := newRig(t, nil)
		r.clock.unknown = map[string]bool{"k1": true, "k3": true}
		for _, r.kernel = range []string{"k0", "k1", "k2", "k3"} { // the time of k1 is never learned
			r.plenty(needs)
			r.measure("a", n)
			r.measure("b", n)
		}
		r.happen("sensor")
		r.uplink.SetLink(Link{Up: true, Window: 20})
		timesOf := map[bool]int{}
		serve := func() (readings int) {
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					var m struct {
						Readings []struct{ TS *time.Time }
					}
					if err := json.Unmarshal(f.Payload, &m); err != nil {
						t.Fatal(err)
					}
					for _, x := range m.Readings {
						timesOf[x.TS != nil]++
						readings++
					}
					f.done(0, nil)
				}
			}
			return readings
		}
		if got := serve(); got != 4*n || timesOf[false] > 0 {
			t.Errorf("%d readings that have a time arrived, want %d; %d have none", got, 4*n, timesOf[false])
		}
		r.measure("a", 10) // live
		if got, s := serve(), r.store.Stats(); got != 0 || s.Held != 4*n+10 || s.InFlight != 0 {
			t.Errorf("%d live readings without a time arrived, and %d are held, want %d", got, s.Held, 4*n+10)
		}
		delete(r.clock.unknown, "k3")
		r.uplink.Wake()
		if got, s := serve(), r.store.Stats(); got != 2*n+10 || s.Held != 2*n || timesOf[false] > 0 {
			t.Errorf("the time is known: %d arrived, want %d; %d are held; %d have no time", got, 2*n+10, s.Held, timesOf[false])
		}
		r.uplink.SetLink(Link{})
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 20, Continues: true})
		r.measure("b", 10)
		if got, s := serve(), r.store.Stats(); got != 10 || s.Held != 2*n || s.Live+s.Backlog != 2*n {
			t.Errorf("on the next connection %d arrived, and %d are held", got, s.Held)
		}
		r.plenty(nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		if got := serve(); got != 2*n || timesOf[false] != 2*n {
			t.Errorf("with json %d arrived, %d without a time, want %d", got, timesOf[false], 2*n)
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}
