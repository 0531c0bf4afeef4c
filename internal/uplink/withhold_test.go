package uplink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// plenty makes the store one for many readings: they are not stored one by one.
func (r *rig) plenty(change func(*Config)) {
	r.maxLoss = time.Second
	r.arrived = map[string]map[uint64]bool{}
	r.again(change)
}

// serve answers what is sent until nothing more comes: code to telemetry of a, 0 to all else. It
// returns what arrived of each topic, whose readings come in their order.
func (r *rig) serve(code byte) map[string]uint64 {
	last := map[string]uint64{}
	for flights := r.settled(); len(flights) > 0; flights = r.settled() {
		for _, f := range flights {
			if strings.Contains(f.Topic, "/telemetry/a") && code != 0 {
				f.done(code, nil)
				continue
			}
			var m struct{ Readings []struct{ Seq uint64 } }
			if err := json.Unmarshal(f.Payload, &m); err != nil {
				r.t.Fatal(err)
			}
			for _, x := range m.Readings {
				if r.arrived[f.Topic] == nil {
					r.arrived[f.Topic] = map[uint64]bool{}
				}
				r.arrived[f.Topic][x.Seq] = true
				if x.Seq <= last[f.Topic] {
					r.t.Fatalf("%s: %d after %d", f.Topic, x.Seq, last[f.Topic])
				}
				last[f.Topic] = x.Seq
			}
			f.done(0, nil)
		}
	}
	return last
}

// kept returns how many readings pauses have, and their bytes.
func (u *Uplink) kept() (records, bytes int) {
	for _, p := range u.pauses {
		records, bytes = records+p.records, bytes+p.bytes
	}
	return records, bytes
}

// TestRefusedTopicStopsNoOther: whatever waits for it, live or late, in segments of its own or
// among others.
func TestRefusedTopicStopsNoOther(t *testing.T) {
	const n, live = 20000, 4000
	for _, together := range []bool{false, true} {
		t.Run(fmt.Sprint("together ", together), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.plenty(nil)
				const a, b = "fieldgate/g/telemetry/a", "fieldgate/g/telemetry/b"
				for i := range n {
					if r.measure("a", 1); together {
						r.measure("b", 1)
					} else if i == n-1 {
						r.measure("b", n)
					}
				}
				r.uplink.SetLink(Link{Up: true, Window: 20})
				r.serve(0x87)
				if late := r.arrived[b+"/late"]; len(late) != n {
					t.Errorf("%d of %d readings of b arrived", len(late), n)
				}
				for range live / 20 { // both topics of a are refused
					r.measure("a", 20)
					r.measure("b", 20)
					r.serve(0x87)
				}
				if got := len(r.arrived[b]); got != live {
					t.Errorf("%d of %d live readings of b arrived", got, live)
				}
				if records, bytes := r.uplink.kept(); records > 2*probeRecords || bytes > 2*probeBytes {
					t.Errorf("%d readings are kept, %d bytes", records, bytes)
				}
				if s := r.store.Stats(); s.Live+s.Backlog != n+live || s.InFlight > 2*probeRecords {
					t.Errorf("want %d readings of a in the store, got %+v", n+live, s)
				}
				for range 5 { // probes, and a connection that ends after each
					time.Sleep(pauseMin)
					r.serve(0x87)
					r.uplink.SetLink(Link{})
					synctest.Wait()
					r.uplink.SetLink(Link{Up: true, Window: 20})
					r.serve(0x87)
				}
				time.Sleep(pauseMax)
				r.serve(0)
				if got := len(r.arrived[a+"/late"]) + len(r.arrived[a]); got != n+live {
					t.Errorf("%d of %d readings of a arrived in the end", got, n+live)
				}
				if left := r.close(); left != int64(len(r.alarms)) && left != 0 {
					t.Errorf("%d records are left", left)
				}
			})
		})
	}
}

// TestCulpritsAheadOfGoodReadingsAreLookedPast: the broker refuses the content of the first 400
// readings and takes the others.
func TestCulpritsAheadOfGoodReadingsAreLookedPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.plenty(nil)
		r.measure("a", 600)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		for i := 0; i < 2000 && r.uplink.Stats().Delivered < 200; i++ {
			r.refuseUpTo(400)
			time.Sleep(pauseMax)
		}
		// culprits that have no good one behind them may wait
		if n := r.uplink.Stats().Delivered; n != 200 {
			t.Errorf("%d delivered, %d dead letters", n, r.store.Stats().Dead)
		}
		r.close()
	})
}

// taking counts how often the store hears what to hold.
type taking struct {
	*buffer.Store
	holds int
}

func (q *taking) Hold(of buffer.Lane, parts map[buffer.Part]bool) {
	q.holds++
	q.Store.Hold(of, parts)
}

// TestPauseOfATopicIsToldTheStoreOnce: nothing goes round in circles while the topic stays refused.
func TestPauseOfATopicIsToldTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &taking{}
		r := newRig(t, nil)
		r.plenty(func(c *Config) { q.Store = c.Queue.(*buffer.Store); c.Queue = q })
		r.measure("a", 3000)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		for range 100 {
			r.measure("b", 10)
			r.serve(0x87)
			time.Sleep(time.Second)
		}
		if q.holds != 1 {
			t.Errorf("%d calls of Hold", q.holds)
		}
		r.close()
	})
}
