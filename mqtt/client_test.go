package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// connectTo returns a configuration for a broker in memory.
func connectTo(b *mqtttest.Broker) Config {
	return Config{URLs: []string{"mqtt://test"}, Dial: b.Dial, ClientID: "c"}
}

// outcomes collects what done functions receive, as "name: outcome".
type outcomes struct{ list []string }

func (o *outcomes) done(name string) func(PublishResult, error) {
	return func(a PublishResult, err error) {
		what := a.Code.String()
		if err != nil {
			what = err.Error()
			for _, e := range []error{ErrClosed, ErrUncertain, ErrTooLarge, ErrNotSupported, ErrExpired} {
				if errors.Is(err, e) {
					what = e.Error()
				}
			}
		}
		o.list = append(o.list, name+": "+what)
	}
}

func (k *tester) send(t testing.TB, o *outcomes, m Message) {
	t.Helper()
	if err := k.Send(&m, o.done(m.Topic)); err != nil {
		t.Fatal(err)
	}
}

// sentTo lists the PUBLISH packets that the broker got, as topic, identifier and a mark for DUP.
func sentTo(b *mqtttest.Broker, connection int) (list []string) {
	for _, p := range b.Published() {
		if p.Connection == connection {
			s := fmt.Sprintf("%s#%d", p.Topic, p.ID)
			if p.Dup {
				s += "+"
			}
			list = append(list, s)
		}
	}
	return list
}

func wantList(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\nwant %q\ngot  %q", what, want, got)
	}
}

// TestLimits checks that what the broker does not take is answered, and that other messages go on.
//
// [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15]
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{Properties: packet.Properties{
			Present: packet.Props(packet.PropMaximumPacketSize, packet.PropMaximumQoS, packet.PropRetainAvailable, packet.PropReceiveMaximum), MaximumPacketSize: 100,
			MaximumQoS: 1, ReceiveMaximum: 1,
		}})
		defer b.Close()
		k := start(t, connectTo(b))
		var o outcomes
		for _, m := range []Message{
			{Topic: "large", QoS: 1, Payload: make([]byte, 100)},
			{Topic: "fits", QoS: 1, Payload: make([]byte, 100-2-6-2-1)},
			{Topic: "exactly-once", QoS: 2},
			{Topic: "retained", QoS: 1, Retain: true},
			{Topic: "zero"},
			{Topic: "last", QoS: 1},
		} {
			k.send(t, &o, m)
		}
		k.await(t, Connected)
		synctest.Wait()
		slices.Sort(o.list)
		wantList(t, "outcomes", o.list, "exactly-once: "+ErrNotSupported.Error(), "fits: 0x00 success", "large: "+ErrTooLarge.Error(),
			"last: 0x00 success", "retained: "+ErrNotSupported.Error(), "zero: 0x00 success")
		wantList(t, "broker", sentTo(b, 1), "fits#1", "zero#0", "last#2")
		wantList(t, "violations", b.Violations())
		if _, err := k.Subscribe(t.Context(), Subscription{Filter: strings.Repeat("x", 100)}); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
		k.close(t, false)
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{AckCode: packet.NotAuthorized})
		defer b.Close()
		k := start(t, connectTo(b))
		for qos := AtLeastOnce; qos <= ExactlyOnce; qos++ {
			_, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: qos})
			if re, ok := errors.AsType[*ReasonError](err); !ok || re.Code != packet.NotAuthorized || !IsPermanent(err) {
				t.Errorf("QoS %d: %v", qos, err)
			}
		}
		b.Behave(func(h *mqtttest.Behavior) { h.AckCode = packet.NoMatchingSubscribers })
		a, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: 1})
		if err != nil || a.Code != packet.NoMatchingSubscribers {
			t.Error(a, err)
		}
		if s := k.Stats(); s.Refused != 2 || s.Acked != 1 {
			t.Errorf("%+v", s)
		}
		k.close(t, false)
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{DialError: errors.New("down")})
		defer b.Close()
		k := start(t, connectTo(b))
		var o outcomes
		k.send(t, &o, Message{Topic: "short", QoS: 1, Expiry: new(10 * time.Second)})
		k.send(t, &o, Message{Topic: "long", QoS: 1, Expiry: new(time.Hour)})
		k.send(t, &o, Message{Topic: "ever", QoS: 1})
		time.Sleep(30 * time.Minute)
		b.Behave(func(h *mqtttest.Behavior) { h.DialError = nil })
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "outcomes", o.list, "short: "+ErrExpired.Error(), "long: 0x00 success", "ever: 0x00 success")
		p := b.Published()
		if left := p[0].Properties.MessageExpiry; left < 1600 || left > 1800 {
			t.Errorf("%ds left of an hour after half of it", left)
		}
		if p[1].Properties.Present != 0 {
			t.Errorf("%+v", p[1].Properties)
		}
		k.close(t, false)
	})
}

func TestQueueFull(t *testing.T) {
	c, err := New(Config{URLs: []string{"mqtt://nowhere.invalid"}, MaxQueued: 2})
	if err != nil {
		t.Fatal(err)
	}
	var o outcomes
	for i, want := range []error{nil, nil, ErrQueueFull} {
		if err := c.Send(&Message{Topic: "t", QoS: 1}, o.done("t")); err != want {
			t.Errorf("message %d: %v, want %v", i, err, want)
		}
	}
	if err := c.Close(t.Context(), Disconnect{}); err != nil {
		t.Error(err)
	}
	wantList(t, "outcomes", o.list, "t: "+ErrClosed.Error(), "t: "+ErrClosed.Error())
	if err := c.Send(&Message{Topic: "t"}, nil); err != ErrClosed {
		t.Error(err)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestInvalidMessages(t *testing.T) {
	c, err := New(Config{URLs: []string{"mqtt://nowhere.invalid"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Message{
		{},
		{Topic: "a/+"},
		{Topic: "a/#"},
		{Topic: "a\x00"},
		{Topic: "a\x01"},
		{Topic: "\xff"},
		{Topic: strings.Repeat("x", 65536)},
		{Topic: "a", QoS: 3},
		{Topic: "a", ResponseTopic: "+"},
		{Topic: "a", ContentType: "\xff"},
		{Topic: "a", CorrelationData: make([]byte, 65536)},
		{Topic: "a", UserProperties: []UserProperty{{Key: "\xed\xa0\x80"}}},
		{Topic: "a", UTF8: true, Payload: []byte{0xff}},
		{Topic: "a", Expiry: new(time.Duration(-1))},
	} {
		if err := c.Send(&m, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.100v: %v", m, err)
		}
	}
	for _, s := range []Subscription{
		{}, {Filter: "a#"}, {Filter: "#/a"}, {Filter: "a+/b"}, {Filter: "a", QoS: 3}, {Filter: "a", RetainHandling: 3},
		{Filter: "$share/x"}, {Filter: "$share//a"}, {Filter: "$share/+/a"}, {Filter: "$share/x/"}, {Filter: "$share/x/a", NoLocal: true},
	} {
		if _, err := c.Subscribe(t.Context(), s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, f := range []string{"#", "+", "a/+/b/#", "/", "$share/x/#", "$SYS/#"} {
		if !validFilter(f) {
			t.Errorf("%q is a filter", f)
		}
	}
}

// TestPublishGivesUp checks what becomes of a message whose publisher waits no longer.
func TestPublishGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true, Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 1}})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		payload := []byte("mine")
		publish := func(topic string) error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := k.Publish(ctx, &Message{Topic: topic, QoS: 1, Payload: payload})
			return err
		}
		if err := publish("sent"); !errors.Is(err, ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := publish("waiting"); errors.Is(err, ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		copy(payload, "yours")
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback = false })
		b.Cut()
		k.await(t, Disconnected)
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "second connection", sentTo(b, 2), "sent#1+")
		if p := b.Published(); string(p[len(p)-1].Payload) != "mine" {
			t.Errorf("payload %q", p[len(p)-1].Payload)
		}
		k.close(t, false)
	})
}

func TestEnd(t *testing.T) {
	for _, v := range []struct {
		name string
		end  func(*tester, context.CancelFunc) error
		code packet.ReasonCode
		will bool
	}{
		{"close", func(k *tester, _ context.CancelFunc) error { return k.Close(context.Background(), Disconnect{}) }, 0, false},
		{"close with will", func(k *tester, _ context.CancelFunc) error {
			return k.Close(context.Background(), Disconnect{Code: packet.DisconnectWithWill})
		}, 4, true},
		{"context", func(_ *tester, cancel context.CancelFunc) error { cancel(); return nil }, 4, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{NoPuback: true, Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 1}})
				defer b.Close()
				watcher := start(t, Config{URLs: []string{"mqtt://test"}, Dial: b.Dial, ClientID: "w", Subscriptions: []Subscription{{Filter: "will"}}})
				watcher.await(t, Connected)

				cfg := connectTo(b)
				cfg.Will = func() *Will { return &Will{Message: Message{Topic: "will", Payload: []byte("gone"), QoS: 1}} }
				k := &tester{ended: make(chan error, 1)}
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				k.Client = c
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { k.ended <- c.Run(ctx) }()
				var o outcomes
				k.send(t, &o, Message{Topic: "sent", QoS: 1})
				k.send(t, &o, Message{Topic: "waiting", QoS: 1})
				synctest.Wait()
				if err := v.end(k, cancel); err != nil {
					t.Error(err)
				}
				if err := <-k.ended; v.name == "context" && !errors.Is(err, context.Canceled) || v.name != "context" && err != nil {
					t.Errorf("Run returned %v", err)
				}
				wantList(t, "outcomes", o.list, "sent: "+ErrUncertain.Error(), "waiting: "+ErrClosed.Error())
				synctest.Wait()
				if f := b.Disconnects(); len(f) != 1 || f[0].Code != v.code {
					t.Errorf("DISCONNECT %+v, want code %d", f, v.code)
				}
				if got := len(watcher.received) == 1; got != v.will {
					t.Errorf("will published: %v, want %v", got, v.will)
				}
				watcher.close(t, false)
			})
		})
	}
}

// TestNoBrokerYet: a client without a URL takes messages until it is closed, and connects nowhere.
func TestNoBrokerYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.URLs = []string{}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		var outcome error
		if err := c.Send(&Message{Topic: "t", QoS: AtLeastOnce}, func(_ PublishResult, err error) { outcome = err }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s := c.Stats(); s.Connected || s.BytesOut != 0 {
			t.Errorf("connected: %+v", s)
		}
		if err := c.Close(t.Context(), Disconnect{}); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil || !errors.Is(outcome, ErrClosed) {
			t.Errorf("Run: %v; outcome of the message: %v", err, outcome)
		}
	})
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "no broker URL") {
		t.Errorf("URLs left out: %v", err)
	}
}
