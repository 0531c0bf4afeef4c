package uplink

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestHeldSensorsWait: live and late, in what was taken already, and P/last; everything else goes,
// and in the end all arrives in order.
func TestHeldSensorsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		change := func(c *Config) { c.Last = func(string) bool { return true } }
		r := newRig(t, change)
		r.plenty(change)
		const a, b = "fieldgate/g/telemetry/a", "fieldgate/g/telemetry/b"
		late := func(sensor string) int { return len(r.arrived["fieldgate/g/telemetry/"+sensor+"/late"]) }
		for range n {
			r.measure("a", 1)
			r.measure("b", 1)
		}
		r.uplink.SetHeld(map[string]bool{"a": true})
		r.uplink.SetLink(Link{Up: true, Window: 20})
		r.serve(0)
		for range 50 {
			r.measure("a", 10)
			r.measure("b", 10)
			r.serve(0)
			time.Sleep(time.Second)
		}
		r.happen("sensor")
		if events := r.settled(); len(events) == 0 {
			t.Error("an event waits")
		} else {
			ack(events, 0)
		}
		if late("a")+len(r.arrived[a]) > 0 || late("b") != n || len(r.arrived[b]) != 500 || len(r.arrived["fieldgate/g/last/a"]) > 0 || len(r.arrived["fieldgate/g/last/b"]) == 0 {
			t.Errorf("held: %d of a, %d and %d of b, %d P/last of a", late("a")+len(r.arrived[a]), late("b"), len(r.arrived[b]), len(r.arrived["fieldgate/g/last/a"]))
		}
		if s := r.store.Stats(); s.Live+s.Backlog != n+500 {
			t.Errorf("want %d readings of a in the store, got %+v", n+500, s)
		}
		r.uplink.SetHeld(nil)
		r.serve(0)
		time.Sleep(2 * time.Second)
		r.serve(0)
		if late("a") != n || len(r.arrived[a]) != 500 || len(r.arrived["fieldgate/g/last/a"]) == 0 {
			t.Errorf("free: %d and %d of a, %d P/last", late("a"), len(r.arrived[a]), len(r.arrived["fieldgate/g/last/a"]))
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

// TestHeldWhileTaken: what the uplink has taken and not sent when a sensor is held goes back, and
// a topic that is refused as well stays paused.
func TestHeldWhileTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 10 })
		r.uplink.SetLink(Link{Up: true, Window: 3})
		r.settled()
		r.measure("a", 100)
		sent := r.settled()
		r.uplink.SetHeld(map[string]bool{"a": true})
		ack(sent, 0)
		if more := r.settled(); len(more) > 0 {
			t.Errorf("sent although held: %s", show(more))
		}
		r.measure("b", 1)
		sent = r.settled()
		r.want("telemetry/b 1-1", sent)
		ack(sent, 0x87)
		time.Sleep(pauseMin + time.Second)
		sent = r.settled()
		r.want("telemetry/b 1-1", sent) // the probe
		ack(sent, 0)
		r.uplink.SetHeld(nil)
		for {
			sent = r.settled()
			if len(sent) == 0 {
				break
			}
			ack(sent, 0)
		}
		if left := r.close(); left > int64(len(r.alarms)) {
			t.Errorf("%d records are left", left)
		}
	})
}
