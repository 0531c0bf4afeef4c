package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// openHook lets everybody in.
type openHook struct{ mochi.HookBase }

func (*openHook) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*openHook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*openHook) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// startMochi runs a broker in this process and returns it and its URL.
func startMochi(t *testing.T) (*mochi.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(openHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.AddListener(listeners.NewNet("tcp", l)); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, "mqtt://" + l.Addr().String()
}

// TestMochi exercises what the client needs of a second broker: every QoS both ways, aliases both
// ways, identifiers, requests, manual acknowledgement, and a session that outlasts the client.
func TestMochi(t *testing.T) {
	_, u := startMochi(t)
	k := start(t, Config{
		URLs: []string{u}, ClientID: "both", OutboundTopicAliases: 4, TopicAliasMaximum: 4,
		Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce, ID: 9}},
	})
	k.await(t, Connected)
	for i := range 60 {
		topic := fmt.Sprint("t/a/longer/topic/", i%6)
		k.publish(t, &Message{Topic: topic, QoS: QoS(i % 3), Payload: []byte{byte(i)}})
		if m := k.message(t); m.Topic != topic || len(m.Payload) != 1 || m.Payload[0] != byte(i) || fmt.Sprint(m.SubscriptionIDs) != "[9]" {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	device := startDevice(t, Config{URLs: []string{u}}, 0)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	a, err := k.Request(ctx, &Message{Topic: "cmd/x", QoS: 1, Payload: []byte("hello")})
	if err != nil || string(a.Payload) != "HELLO" {
		t.Errorf("%+v, %v", a, err)
	}
	device.close(t, false)

	cfg := Config{URLs: []string{u}, ClientID: "sleeper", Session: new(memoryStore), ManualAck: true, Subscriptions: []Subscription{{Filter: "t/#", QoS: 2}}}
	for range 2 {
		sleeper := start(t, cfg)
		sleeper.await(t, Connected)
		sleeper.close(t, false)
		for qos := AtLeastOnce; qos <= ExactlyOnce; qos++ {
			k.publish(t, &Message{Topic: "t/x", QoS: qos})
		}
		sleeper = start(t, cfg)
		if e := sleeper.await(t, Connected); !e.Negotiated.SessionPresent {
			t.Errorf("%+v", e.Negotiated)
		}
		first, second := sleeper.message(t), sleeper.message(t)
		for _, m := range []*Message{second, first} {
			if err := m.Ack(); err != nil {
				t.Error(err)
			}
		}
		sleeper.close(t, false)
	}
	k.close(t, false)
}

// TestMosquittoWillDelay checks that a client that comes back in time keeps its will from being
// published, and that the will comes when it does not.
func TestMosquittoWillDelay(t *testing.T) {
	u := tcpMosquitto(t, "")
	watcher := start(t, Config{URLs: []string{u}, ClientID: "watcher", Subscriptions: []Subscription{{Filter: "will/#", QoS: 1}}})
	watcher.await(t, Connected)
	for _, id := range []string{"back", "gone"} {
		cfg := Config{URLs: []string{u}, ClientID: id, Session: new(memoryStore), Will: func() *Will {
			return &Will{Message: Message{Topic: "will/" + id, QoS: 1}, Delay: 1e9}
		}}
		k := start(t, cfg)
		k.await(t, Connected)
		k.close(t, true)
		if id == "back" {
			k = start(t, cfg)
			k.await(t, Connected)
		}
	}
	if m := watcher.message(t); m.Topic != "will/gone" {
		t.Errorf("%+v", m)
	}
	if len(watcher.received) != 0 {
		t.Errorf("%+v", watcher.message(t))
	}
}
