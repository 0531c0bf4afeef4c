package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// startDevice runs a client that answers what comes to cmd/# with the payload in upper case, after
// delay.
func startDevice(t *testing.T, cfg Config, delay time.Duration) *tester {
	t.Helper()
	var device *Client
	cfg.ClientID = "device"
	cfg.Subscriptions = []Subscription{{Filter: "cmd/#", QoS: 1}}
	cfg.Handler = func(_ context.Context, m *Message) error {
		time.Sleep(delay)
		if m.ResponseTopic == "" {
			return nil
		}
		return device.Send(&Message{
			Topic: m.ResponseTopic, CorrelationData: m.CorrelationData, QoS: m.QoS, Payload: []byte(strings.ToUpper(string(m.Payload))),
		}, nil)
	}
	k := start(t, cfg)
	device = k.Client
	k.await(t, Connected)
	return k
}

// TestRequest sends requests from several goroutines and from a handler; each gets its own answer,
// also after a lost session.
func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		device := startDevice(t, connectTo(b), 0)
		cfg := connectTo(b)
		cfg.Subscriptions = []Subscription{{Filter: "chain"}, {Filter: "#"}}
		var k *tester
		cfg.Handler = func(ctx context.Context, m *Message) error {
			if m.Topic != "chain" {
				return nil
			}
			a, err := k.Request(ctx, &Message{Topic: "cmd/from-handler", QoS: 1, Payload: m.Payload})
			if err == nil && string(a.Payload) != "NEXT" {
				err = fmt.Errorf("answer %q", a.Payload)
			}
			return err
		}
		k = start(t, cfg)
		k.await(t, Connected)
		ask := func() {
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					text := fmt.Sprint("request ", i)
					a, err := k.Request(t.Context(), &Message{Topic: "cmd/x", QoS: QoS(i % 2), Payload: []byte(text)})
					if err != nil || string(a.Payload) != strings.ToUpper(text) {
						t.Errorf("%s: %+v, %v", text, a, err)
					}
				})
			}
			all.Wait()
		}
		ask()
		b.Publish(packet.Publish{Topic: "chain", Payload: []byte("next")})
		for m := k.message(t); m.Topic != "chain"; m = k.message(t) {
			if strings.HasPrefix(m.Topic, "response/") {
				t.Errorf("the handler got an answer: %+v", m)
			}
		}
		b.Behave(func(h *mqtttest.Behavior) { h.LoseSession = true })
		b.Cut()
		for _, x := range []*tester{k, device} {
			x.await(t, Disconnected)
			x.await(t, Connected)
		}
		ask()
		for _, p := range b.Published() {
			if p.ClientID == "c" && p.Properties.ResponseTopic != "response/c" {
				t.Errorf("%+v", p)
			}
		}
		k.close(t, false)
		device.close(t, false)
		wantList(t, "violations", b.Violations())
	})
}

// TestAnswerBeforePuback checks that a request whose answer came is the caller's again, although it
// is still in flight, and that a second answer does no harm.
func TestAnswerBeforePuback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		payload := []byte("mine")
		go func() {
			synctest.Wait()
			for range 3 {
				b.Publish(packet.Publish{Topic: "response/c", QoS: 1, Properties: packet.Properties{
					Present: packet.Props(packet.PropCorrelationData), CorrelationData: b.Published()[0].Properties.CorrelationData,
				}})
			}
		}()
		if _, err := k.Request(t.Context(), &Message{Topic: "cmd/x", QoS: 1, Payload: payload}); err != nil {
			t.Error(err)
		}
		copy(payload, "your")
		synctest.Wait()
		wantList(t, "answers", answers(b), "PUBACK", "PUBACK", "PUBACK")

		// The subscription is made again if the broker lost it.
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback, h.LoseSession = false, true })
		b.Cut()
		k.await(t, Disconnected)
		k.await(t, Connected)
		synctest.Wait()
		if p := b.Published(); len(p) != 2 || string(p[1].Payload) != "mine" {
			t.Errorf("%+v", p)
		}
		device := startDevice(t, connectTo(b), 0)
		if _, err := k.Request(t.Context(), &Message{Topic: "cmd/x", QoS: 1}); err != nil {
			t.Error(err)
		}
		device.close(t, false)
		k.close(t, false)
	})
}

// TestRequestWithoutAnswer checks the ways in which no answer comes.
func TestRequestWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{DialError: errors.New("down")})
		defer b.Close()
		cfg := connectTo(b)
		cfg.MaxQueued = 2
		k := start(t, cfg)
		request := func() (*Message, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return k.Request(ctx, &Message{Topic: "cmd/x", QoS: 1})
		}
		if _, err := request(); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUncertain) {
			t.Errorf("offline: %v", err)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.DialError = nil })
		k.await(t, Connected)
		if _, err := request(); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUncertain) {
			t.Errorf("nobody answers: %v", err)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback = true })
		if _, err := request(); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUncertain) {
			t.Errorf("no PUBACK: %v", err)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback, h.AckCode = false, packet.NoMatchingSubscribers })
		b.Cut()
		k.await(t, Disconnected)
		k.await(t, Connected)
		if _, err := request(); reasonCode(err) != packet.NoMatchingSubscribers {
			t.Errorf("no subscriber: %v", err)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.AckCode = packet.NotAuthorized })
		if _, err := request(); reasonCode(err) != packet.NotAuthorized {
			t.Errorf("refused: %v", err)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.AckCode = 0 })
		// A late answer is forgotten, and acknowledged.
		late := b.Published()[0]
		b.Publish(packet.Publish{Topic: late.Properties.ResponseTopic, QoS: 1, Properties: packet.Properties{
			Present: packet.Props(packet.PropCorrelationData), CorrelationData: late.Properties.CorrelationData,
		}})
		synctest.Wait()
		if len(k.received) != 0 || len(answers(b)) != 1 {
			t.Errorf("%d messages, answers %q", len(k.received), answers(b))
		}
		for _, m := range []*Message{{Topic: "cmd/x", ResponseTopic: "r"}, {Topic: "cmd/x", CorrelationData: []byte{1}}, {Topic: "#"}} {
			if _, err := k.Request(t.Context(), m); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", m, err)
			}
		}
		results := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := k.Request(context.Background(), &Message{Topic: "cmd/x"})
				results <- err
			}()
		}
		if err := <-results; err != ErrQueueFull {
			t.Errorf("third at a time: %v", err)
		}
		k.close(t, false)
		for range 2 {
			if err := <-results; !errors.Is(err, ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		}
	})
}

// TestResponseTopic checks which topic answers come on.
func TestResponseTopic(t *testing.T) {
	for _, v := range []struct {
		name, configured, information, id, want string
	}{
		{"client id", "", "", "c", "response/c"},
		{"client id that is no topic", "", "", "a+b", ""},
		{"broker", "", "private/7", "c", "private/7/response"},
		{"broker, with a slash", "", "private/7/", "c", "private/7/response"},
		{"configured", "mine", "private/7", "c", "mine"},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				properties := packet.Properties{ResponseInformation: v.information}
				if v.information != "" {
					properties.Present = packet.Props(packet.PropResponseInformation)
				}
				b := mqtttest.New(mqtttest.Behavior{Properties: properties})
				defer b.Close()
				device := startDevice(t, connectTo(b), 0)
				cfg := connectTo(b)
				cfg.ClientID, cfg.ResponseTopic = v.id, v.configured
				k := start(t, cfg)
				a, err := k.Request(t.Context(), &Message{Topic: "cmd/x"})
				if err != nil {
					t.Fatal(err)
				}
				if a.Topic != v.want && (v.want != "" || !strings.HasPrefix(a.Topic, "response/")) {
					t.Errorf("answer on %q, want %q", a.Topic, v.want)
				}
				if asked := b.Connects()[1].Properties.RequestResponseInformation == 1; asked != (v.configured == "") {
					t.Errorf("response information asked for: %v", asked)
				}
				k.close(t, false)
				device.close(t, false)
			})
		})
	}
}

// TestSubscriptionIdentifiers checks identifiers of subscriptions, also of the configured ones, and
// a broker that takes none.
func TestSubscriptionIdentifiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.Subscriptions = []Subscription{{Filter: "a/#", ID: 7}, {Filter: "b", QoS: 1, ID: packet.MaxLength}, {Filter: "a/1", QoS: 1, ID: 7}, {Filter: "c", QoS: 2}}
		k := start(t, cfg)
		if g := k.await(t, Connected).Negotiated.Granted; fmt.Sprint(g) != "[0x00 success 0x01 granted QoS 1 0x01 granted QoS 1 0x02 granted QoS 2]" {
			t.Errorf("granted %v", g)
		}
		if _, err := k.Subscribe(t.Context(), Subscription{Filter: "+", ID: 300}); err != nil {
			t.Error(err)
		}
		for _, v := range []struct {
			topic string
			want  string
		}{{"a/1", "[7 7]"}, {"a/2", "[7]"}, {"b", "[300 268435455]"}, {"c", "[300]"}} {
			b.Publish(packet.Publish{Topic: v.topic})
			if m := k.message(t); m.Topic != v.topic || fmt.Sprint(m.SubscriptionIDs) != v.want {
				t.Errorf("%s: %+v, want %s", v.topic, m, v.want)
			}
		}
		for _, subs := range [][]Subscription{
			{{Filter: "d", ID: packet.MaxLength + 1}},
			{{Filter: "d", ID: 1}, {Filter: "e", ID: 2}},
		} {
			if _, err := k.Subscribe(t.Context(), subs...); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", subs, err)
			}
		}
		b.Behave(func(h *mqtttest.Behavior) {
			h.Properties.Present = packet.Props(packet.PropSubscriptionIdentifierAvailable)
		})
		b.Cut()
		k.await(t, Disconnected)
		if g := k.await(t, Connected).Negotiated.Granted; g[0] != packet.SubscriptionIDsNotSupported || g[3] != packet.GrantedQoS2 {
			t.Errorf("granted %v", g)
		}
		if _, err := k.Subscribe(t.Context(), Subscription{Filter: "d", ID: 1}); !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		wantList(t, "violations", b.Violations())
		k.close(t, false)
	})
}

func TestMosquittoRequest(t *testing.T) {
	u := tcpMosquitto(t, "")
	device := startDevice(t, Config{URLs: []string{u}}, 0)
	k := start(t, Config{URLs: []string{u}, ClientID: "c", Subscriptions: []Subscription{{Filter: "ids/#", ID: 42}}})
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for qos := AtMostOnce; qos <= ExactlyOnce; qos++ {
		a, err := k.Request(ctx, &Message{Topic: "cmd/x", QoS: qos, Payload: []byte("hello")})
		if err != nil || string(a.Payload) != "HELLO" {
			t.Errorf("QoS %d: %+v, %v", qos, a, err)
		}
	}
	if _, err := k.Request(ctx, &Message{Topic: "nobody/there", QoS: 1}); reasonCode(err) != packet.NoMatchingSubscribers {
		t.Error(err)
	}
	k.publish(t, &Message{Topic: "ids/1", QoS: 1})
	if m := k.message(t); fmt.Sprint(m.SubscriptionIDs) != "[42]" {
		t.Errorf("%+v", m)
	}
	k.close(t, false)
	device.close(t, false)
}
