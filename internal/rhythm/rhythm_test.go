package rhythm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// in runs a test with a rig in a bubble.
func in(t *testing.T, s setup, test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, s)
		test(t, r)
		r.close()
	})
}

// want compares what P/status said.
func (r *rig) want(want string) []message {
	r.t.Helper()
	heard := r.take()
	if got := states(heard); got != want {
		r.t.Errorf("want %s\n got %s", want, got)
	}
	return heard
}

// well looks whether the link is well.
func (r *rig) well() {
	r.t.Helper()
	if h, troubles := r.link.Snapshot(); len(troubles) > 0 {
		r.t.Errorf("%+v %q", h, troubles)
	}
}

func TestWakesAtWholeMultiples(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		time.Sleep(time.Minute)
		if h, _ := r.link.Snapshot(); h.Connected || !h.Asleep || h.NextAttempt == nil || *h.NextAttempt != 839 {
			t.Errorf("%+v", h)
		}
		r.well()
		time.Sleep(39 * time.Minute)
		r.well()
		heard := r.want("1s online, 3s sleeping 00:15:00, 15m0s online, 15m2s sleeping 00:30:00, 30m0s online, 30m2s sleeping 00:45:00")
		if live, late := readings(heard); live != 2*31 || late != 0 {
			t.Errorf("%d readings live, %d late; want 62 and none", live, late)
		}
		if h, _ := r.link.Snapshot(); h.Reconnects != 2 {
			t.Errorf("%+v", h)
		}
	})
}

// A command that was sent while the gateway slept is answered at the next waking, and so is one
// that is sent because of its answer.
func TestCommandsWait(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		send := func(id string) {
			r.broker.Publish(packet.Publish{Topic: topics.Command("ping"), QoS: 1, Payload: []byte(id)})
		}
		time.Sleep(5 * time.Minute)
		send("first")
		time.Sleep(10*time.Minute + 5*time.Second)
		send("second")
		time.Sleep(10 * time.Minute)
		heard := r.want("1s online, 3s sleeping 00:15:00, 15m0s online, 15m13s sleeping 00:30:00")
		answers := ""
		for _, m := range heard {
			if m.topic == topics.Reply("ping") {
				answers += fmt.Sprintf("%v %s, ", m.at.Round(time.Second), m.payload)
			}
		}
		if answers != "15m5s first, 15m11s second, " {
			t.Error(answers)
		}
	})
}

// Somebody who sends a command every second does not keep the gateway awake for ever.
func TestCommandsWithoutEnd(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		for range 600 {
			r.broker.Publish(packet.Publish{Topic: topics.Command("ping"), QoS: 1})
			time.Sleep(time.Second)
		}
		r.want("1s online, 7m31s sleeping 00:15:00")
	})
}

// A command that comes while the gateway says good night is answered before it leaves.
func TestCommandAtTheLastMoment(t *testing.T) {
	in(t, setup{slow: time.Second}, func(t *testing.T, r *rig) {
		time.Sleep(2300 * time.Millisecond) // it waits for the PUBACK of "sleeping"
		r.broker.Publish(packet.Publish{Topic: topics.Command("ping"), QoS: 1})
		time.Sleep(5 * time.Minute)
		heard := r.want("1s online, 3s sleeping 00:15:00, 4s online, 10s sleeping 00:15:00")
		answered := false
		for _, m := range heard {
			answered = answered || m.topic == topics.Reply("ping")
		}
		if !answered {
			t.Error("the command is not answered")
		}
	})
}

// A broker that is away at a waking: the client tries again; up to the delay of the will what was
// taken is live and nobody is called lost.
func TestBrokerAwayAtAWaking(t *testing.T) {
	for _, tt := range []struct {
		name string
		away time.Duration
		want string
		late bool
	}{
		{"for a minute", time.Minute, "sleeping 00:30:00", false},
		{"until it is called lost", 10 * time.Minute, "lost", true},
		{"beyond the next waking", 20 * time.Minute, "lost", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, setup{client: func(c *mqtt.Config) { c.Backoff.Max = 30 * time.Second }}, func(t *testing.T, r *rig) {
				time.Sleep(period - 2*time.Second)
				r.take()
				r.broker.Behave(func(b *mqtttest.Behavior) { b.DialError = errors.New("no route") })
				time.Sleep(tt.away)
				if _, troubles := r.link.Snapshot(); len(troubles) != 1 || !strings.HasPrefix(troubles[0], "no connection to the broker for ") {
					t.Errorf("%q", troubles)
				}
				r.broker.Behave(func(b *mqtttest.Behavior) { b.DialError = nil })
				time.Sleep(time.Minute)
				heard := r.take()
				s := states(heard)
				if !strings.Contains(s, tt.want) || !strings.Contains(s, "sleeping") || strings.Contains(s, "lost") != tt.late {
					t.Error(s)
				}
				live, late := readings(heard)
				if live+late < 28 || (late > 0) != tt.late {
					t.Errorf("%d live, %d late: %s", live, late, s)
				}
				r.well()
			})
		})
	}
}

// A connection that breaks while the gateway is awake is made again at once, and what was not
// acknowledged is late.
func TestBreaksWhileAwake(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		time.Sleep(time.Second)
		r.broker.Cut()
		time.Sleep(time.Minute)
		if s := states(r.take()); strings.Contains(s, "lost") || !strings.HasSuffix(s, "sleeping 00:15:00") {
			t.Error(s)
		}
	})
}

// A backlog that takes longer than the period is sent in one connection; what passes of multiples
// meanwhile is skipped.
func TestBacklogLongerThanThePeriod(t *testing.T) {
	in(t, setup{sensors: 10, client: func(c *mqtt.Config) { c.BytesRate = 200; c.Backoff.Max = 10 * time.Second }}, func(t *testing.T, r *rig) {
		r.broker.Behave(func(b *mqtttest.Behavior) { b.DialError = errors.New("no route") })
		r.broker.Cut()
		time.Sleep(100 * time.Minute)
		r.broker.Behave(func(b *mqtttest.Behavior) { b.DialError = nil })
		connects := len(r.broker.Connects())
		time.Sleep(50 * time.Minute)
		heard := r.take()
		if live, late := readings(heard); late < 1000 || r.store.Stats().Backlog > 0 {
			t.Errorf("%d live, %d late", live, late)
		}
		s := states(heard)
		if n := len(r.broker.Connects()) - connects; n > 6 || strings.Contains(s, "1h45m") || !strings.Contains(s, "sleeping 02:00:00, 2h0m0s online") {
			t.Errorf("%d connections: %s", n, s)
		}
	})
}

// Without a PUBACK nothing piles up: the gateway tries again with the client's back-off, and is not
// well.
func TestNothingIsAcknowledged(t *testing.T) {
	in(t, setup{behavior: mqtttest.Behavior{NoPuback: true}, client: func(c *mqtt.Config) { c.AckTimeout = mqtt.NoAckTimeout }}, func(t *testing.T, r *rig) {
		time.Sleep(50 * time.Minute)
		if n := len(r.broker.Connects()); n > 5 {
			t.Errorf("%d connections in 50 minutes", n)
		}
	})
}

// Without a clock it wakes at multiples of the time since power-up, and does not say until when.
func TestNoClock(t *testing.T) {
	in(t, setup{noClock: true, begin: 7 * time.Minute}, func(t *testing.T, r *rig) {
		time.Sleep(9 * time.Minute)
		heard := r.want("7m0s online, 7m2s sleeping, 15m0s online, 15m2s sleeping")
		if text := fmt.Sprint(heard); !strings.Contains(text, `"state":"sleeping","since":null,"until":null,`) {
			t.Error(text)
		}
	})
}

// A multiple that comes in a moment is skipped.
func TestSkipsTheNextMoment(t *testing.T) {
	in(t, setup{begin: 14 * time.Minute}, func(t *testing.T, r *rig) {
		time.Sleep(17 * time.Minute)
		r.want("14m0s online, 14m2s sleeping 00:30:00, 30m0s online, 30m2s sleeping 00:45:00")
	})
}

// A gateway that ends while it sleeps becomes lost when the delay of its will is over, not before
// and not much later.
func TestKilledAsleepIsLost(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		time.Sleep(5 * time.Minute)
		r.kill()
		r.take()
		time.Sleep(13 * time.Minute)
		r.want("")
		time.Sleep(time.Minute)
		r.want("18m48s lost") // 3 s, 15 min and a quarter of them
	})
}

// What the broker does not offer that a sleeping gateway needs is said, also while it sleeps.
func TestBrokerThatForgets(t *testing.T) {
	short := mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropSessionExpiry), SessionExpiry: 300}}
	in(t, setup{behavior: short}, func(t *testing.T, r *rig) {
		time.Sleep(4 * time.Minute)
		_, troubles := r.link.Snapshot()
		if len(troubles) != 1 || !strings.HasPrefix(troubles[0], `the broker keeps the session for 5m, and mqtt.online = "every 15m" needs 18m45s: `) {
			t.Errorf("%q", troubles)
		}
	})
	refuses := mqtttest.Behavior{RefuseWill: func(*packet.Will) packet.ReasonCode { return packet.NotAuthorized }}
	in(t, setup{behavior: refuses}, func(t *testing.T, r *rig) {
		time.Sleep(4 * time.Minute)
		if _, troubles := r.link.Snapshot(); len(troubles) != 1 || !strings.HasPrefix(troubles[0], "the broker takes no will: ") {
			t.Errorf("%q", troubles)
		}
	})
}

// A gateway that is asked to end while it sleeps ends at once.
func TestEndsWhileAsleep(t *testing.T) {
	in(t, setup{}, func(t *testing.T, r *rig) {
		time.Sleep(5 * time.Minute)
		before := time.Now()
		r.cancel()
		if err := r.client.Close(context.Background(), mqtt.Disconnect{}); err != nil {
			t.Error(err)
		}
		r.tasks.Wait()
		if took := time.Since(before); took > time.Minute { // a sensor's interval
			t.Errorf("it took %v", took)
		}
	})
}
