package uplink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// done reports whether something that waits has returned.
func done(wait func()) func() bool {
	ended := make(chan struct{})
	go func() { defer close(ended); wait() }()
	return func() bool {
		synctest.Wait()
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
}

// TestCatchUpAndRest: caught up is when the client has everything, rested when the broker has it
// and nothing follows.
func TestCatchUpAndRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Last = func(string) bool { return true } })
		defer r.close()
		r.measure("a", 250)
		r.measure("b", 20)
		caughtUp := done(func() { _ = r.uplink.CatchUp(t.Context()) })
		if caughtUp() {
			t.Fatal("caught up without a connection")
		}
		r.uplink.SetLink(Link{Up: true, Window: 4, MaxPacket: 1 << 20})
		first := r.settled()
		if caughtUp() {
			t.Fatal("caught up while the window is full")
		}
		for flights := first; len(flights) > 0; flights = r.settled() {
			ack(flights, 0)
			time.Sleep(2 * time.Second) // P/last
		}
		if !caughtUp() {
			t.Fatal("not caught up with nothing left")
		}

		r.measure("a", 1)
		inFlight := r.settled()
		rested := done(func() { _ = r.uplink.Rest(t.Context()) })
		r.measure("a", 1)
		if more := r.settled(); len(more) > 0 || rested() {
			t.Errorf("at rest it sends %s, rested %v", show(more), rested())
		}
		r.uplink.Set("fieldgate/g/status", []byte("x"), nil)
		status := r.settled()
		r.want("status", status)
		ack(inFlight, 0)
		time.Sleep(time.Second) // P/last
		last := r.settled()
		if rested() {
			t.Error("rested although documents are on their way")
		}
		ack(status, 0)
		ack(last, 0)
		if !rested() {
			t.Error("not rested")
		}
		r.uplink.Resume()
		flights := r.settled()
		r.want("telemetry/a 252-252", flights[:1])
		ack(flights, 0)
	})
}

// TestRestEndsWithItsContext: a broker that leaves something unacknowledged.
func TestRestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.close()
		r.uplink.SetLink(Link{Up: true, Window: 4, MaxPacket: 1 << 20})
		r.measure("a", 1)
		r.settled()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.uplink.Rest(ctx); err == nil {
			t.Error("rested with a message in flight")
		}
	})
}

// TestContinues: what was taken between two connections is live if the second continues the first.
func TestContinues(t *testing.T) {
	for _, continues := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.DrainDelay = func() time.Duration { return time.Minute } })
			defer r.close()
			r.uplink.SetLink(Link{Up: true, Window: 9, MaxPacket: 1 << 20})
			synctest.Wait()
			r.uplink.SetLink(Link{})
			synctest.Wait()
			r.measure("a", 3)
			r.uplink.SetLink(Link{Up: true, Continues: continues, Window: 9, MaxPacket: 1 << 20})
			if continues {
				r.want("telemetry/a 1-3", r.settled())
				return
			}
			r.want("", r.settled())
			time.Sleep(time.Minute)
			r.want("telemetry/a/late 1-3", r.settled())
		})
	}
}

// TestRetireDoesNotWaitForReadings: what a low rate has kept the client from sending goes back to
// the store, and the events go.
func TestRetireDoesNotWaitForReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		for _, sensor := range []string{"a", "b", "c"} {
			r.measure(sensor, 1)
		}
		flights := r.settled()
		r.broker.put(flights[1:]) // they wait for the rate
		r.uplink.Retire()
		idle := done(func() { r.uplink.Idle(t.Context()) })
		if idle() {
			t.Error("idle before what was sent is acknowledged")
		}
		ack(flights[:1], 0)
		if !idle() {
			t.Error("waits for what cannot be sent")
		}
		r.happen("sensor")
		flights = r.settled()
		r.want("events/sensor", flights)
		ack(flights, 0)
		synctest.Wait()
		if left := r.close(); left != 2 {
			t.Errorf("%d records are left, want 2", left)
		}
	})
}
