package link_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// rig is a client of a scripted broker, and the link that follows it.
type rig struct {
	t      *testing.T
	broker *mqtttest.Broker
	client *mqtt.Client
	link   *link.Link
	stop   func()
}

var subscriptions = []link.Subscription{
	{Subscription: mqtt.Subscription{Filter: "p/cmd/+", QoS: mqtt.AtLeastOnce}, Without: "no commands arrive"},
	{Subscription: mqtt.Subscription{Filter: "p/status", QoS: mqtt.AtLeastOnce}, Without: "a wrong status stays"},
}

// newRig starts a client, in a bubble. It says hello on every connection, as a gateway does.
func newRig(t *testing.T, b mqtttest.Behavior) *rig {
	t.Helper()
	r := &rig{t: t, broker: mqtttest.New(b)}
	began := time.Now()
	var err error
	r.client, err = mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "gw", Dial: r.broker.Dial,
		Subscriptions: link.ForClient(subscriptions),
		Will: func() *mqtt.Will {
			return &mqtt.Will{Message: mqtt.Message{Topic: "p/status", QoS: mqtt.AtLeastOnce, Retain: true}}
		},
		OnEvent: func(e mqtt.Event) {
			r.link.Event(e)
			if e.Kind == mqtt.Connected {
				_ = r.client.Send(&mqtt.Message{Topic: "p/status", Payload: []byte("online"), QoS: mqtt.AtLeastOnce}, nil)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	r.link = link.New(link.Config{Gateway: "gw", Up: func() time.Duration { return time.Hour + time.Since(began) }, Stats: r.client.Stats,
		Subscriptions: subscriptions})
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = r.client.Run(ctx) })
	r.stop = func() { cancel(); ended.Wait(); r.broker.Close() }
	return r
}

// want looks at what is wrong, after a moment.
func (r *rig) want(after time.Duration, parts ...string) {
	r.t.Helper()
	time.Sleep(after)
	synctest.Wait()
	_, troubles := r.link.Snapshot()
	text := strings.Join(troubles, "\n")
	if len(parts) == 0 && text != "" {
		r.t.Errorf("want nothing wrong, got %q", text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			r.t.Errorf("want %q in %q", part, text)
		}
	}
}

func property(p packet.PropertyID, set func(*packet.Properties)) mqtttest.Behavior {
	b := mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(p)}}
	set(&b.Properties)
	return b
}

// TestNeverWellWhileNothingIsDelivered: each way in which a link can be there or not, and nothing
// gets through.
func TestNeverWellWhileNothingIsDelivered(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first mqtttest.Behavior
		live  func(*rig)
		want  []string
	}{
		{"OK", mqtttest.Behavior{}, func(r *rig) {}, nil},
		{"wrong password", mqtttest.Behavior{Refuse: packet.BadUserNameOrPassword}, func(r *rig) {}, []string{"no connection to the broker for ", ", 1 failed attempt, the next in ", "bad user name or password"}},
		{"no route", mqtttest.Behavior{DialError: context.DeadlineExceeded}, func(r *rig) {}, []string{"failed attempts"}},
		{"no answer to CONNECT", mqtttest.Behavior{Mute: true}, func(r *rig) {}, []string{"no connection to the broker for "}},
		{"nothing is acknowledged", mqtttest.Behavior{NoPuback: true}, func(r *rig) {}, []string{"the broker has left a message unacknowledged for 40s"}},
		{"it flaps without an acknowledgement", mqtttest.Behavior{NoPuback: true}, func(r *rig) {
			for range 3 {
				r.broker.Cut()
				time.Sleep(10 * time.Second)
			}
		}, []string{"connections in a row ended before the broker acknowledged anything"}},
		{"it flaps", mqtttest.Behavior{}, func(r *rig) {
			for range 3 {
				r.broker.Cut()
				time.Sleep(20 * time.Second)
			}
		}, []string{"the connection broke 3 times within 5m"}},
		{"QoS 0 only", property(packet.PropMaximumQoS, func(p *packet.Properties) { p.MaximumQoS = 0 }), func(r *rig) {}, []string{"QoS 0 only (Maximum QoS)", "nothing is delivered"}},
		{"no retained messages", property(packet.PropRetainAvailable, func(p *packet.Properties) {}), func(r *rig) {}, []string{"the broker keeps no retained messages"}},
		{"no wildcards", property(packet.PropWildcardSubscriptionAvailable, func(p *packet.Properties) {}), func(r *rig) {}, []string{"refuses the subscription to p/cmd/+", "no commands arrive"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.first)
				defer r.stop()
				time.Sleep(40 * time.Second)
				tt.live(r)
				r.want(0, tt.want...)
			})
		})
	}
}

// TestAShortOutageIsNone: a start, and a connection that breaks once and comes again at the first
// attempt.
func TestAShortOutageIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, mqtttest.Behavior{})
		defer r.stop()
		if _, troubles := r.link.Snapshot(); len(troubles) > 0 {
			t.Errorf("before the first attempt: %q", troubles)
		}
		r.want(time.Minute)
		r.broker.Cut()
		r.want(0)
		r.want(5 * time.Second)
		h, _ := r.link.Snapshot()
		if !h.Connected || h.Since < 3660 || h.Reconnects != 1 {
			t.Errorf("%+v", h)
		}
		r.broker.Behave(func(b *mqtttest.Behavior) { b.Refuse = packet.NotAuthorized })
		r.broker.Cut()
		r.want(5*time.Second, " failed attempts, the next in ", "not authorized")
		if h, _ = r.link.Snapshot(); h.Connected || h.Attempts < 1 || // it also tries with a smaller will
			h.NextAttempt == nil || !strings.Contains(strings.ToLower(h.Error), "not authorized") {
			t.Errorf("%+v", h)
		}
	})
}

// TestTwoOfOneNameAreToldOnBoth: two clients of one id push each other out; P/status names the
// other store.
func TestTwoOfOneNameAreToldOnBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, mqtttest.Behavior{})
		defer r.stop()
		time.Sleep(time.Minute)
		other, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "gw", Dial: r.broker.Dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { _ = other.Run(ctx) })
		defer ended.Wait()
		defer cancel()
		r.want(2*time.Minute, `another client uses the id "gw", and each pushes the other off the broker: set gateway.id`)
		r.link.Twin(`store "bb"`)
		r.want(0, `another gateway (store "bb") uses the id "gw"`)
		if n := len(r.broker.Connects()); n > 30 {
			t.Errorf("%d connections in 2 minutes", n)
		}
		cancel()
		ended.Wait()
		r.want(20 * time.Minute)
	})
}

// TestAsleepIsNoOutage: a client that was paused is well, however long; once it should be connected
// an outage counts from then.
func TestAsleepIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, mqtttest.Behavior{})
		defer r.stop()
		time.Sleep(time.Second)
		if err := r.client.Pause(mqtt.Disconnect{Code: packet.DisconnectWithWill}, time.Hour); err != nil {
			t.Fatal(err)
		}
		r.want(40 * time.Minute)
		if h, _ := r.link.Snapshot(); h.Connected || !h.Asleep || h.Error != "" || h.NextAttempt == nil || *h.NextAttempt != 1200 || h.Since != 3601 {
			t.Errorf("%+v", h)
		}
		r.broker.Behave(func(b *mqtttest.Behavior) { b.DialError = context.DeadlineExceeded })
		r.want(20*time.Minute+15*time.Second, "no connection to the broker for 15s, ")
		if h, _ := r.link.Snapshot(); h.Asleep {
			t.Errorf("%+v", h)
		}
	})
}

// TestTwinsThatSleep: each sees the other once at each waking, and seldom at the same time.
func TestTwinsThatSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := link.New(link.Config{Gateway: "gw", Online: config.Online(15 * time.Minute), Up: func() time.Duration { return time.Since(began) },
			Stats: func() mqtt.Stats { return mqtt.Stats{Connected: true} }})
		l.Event(mqtt.Event{Kind: mqtt.Connected, Negotiated: mqtt.Negotiated{RetainAvailable: true, MaximumQoS: mqtt.ExactlyOnce, SessionExpiry: time.Hour,
			Will: &mqtt.Will{Message: mqtt.Message{Retain: true, QoS: mqtt.AtLeastOnce}}}})
		l.Twin(`store "bb"`)
		time.Sleep(15 * time.Minute)
		l.Twin(`store "bb"`)
		if _, troubles := l.Snapshot(); len(troubles) != 1 || !strings.HasPrefix(troubles[0], `another gateway (store "bb") uses the id "gw"`) {
			t.Errorf("%q", troubles)
		}
		time.Sleep(time.Hour)
		if _, troubles := l.Snapshot(); len(troubles) != 0 {
			t.Errorf("long after: %q", troubles)
		}
	})
}

// TestNoBroker: a configuration that names no broker is reported at once, and as that.
func TestNoBroker(t *testing.T) {
	const why = "no broker yet: set mqtt.urls in f.toml"
	l := link.New(link.Config{NoBroker: why, Up: func() time.Duration { return 0 }, Stats: func() mqtt.Stats { return mqtt.Stats{} }})
	h, trouble := l.Snapshot()
	if h.Connected || h.Error != why || len(trouble) != 1 || trouble[0] != why {
		t.Errorf("got %+v, %q", h, trouble)
	}
}
