package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func subscribed(b *mqtttest.Broker) Config {
	cfg := connectTo(b)
	cfg.Subscriptions = []Subscription{{Filter: "#", QoS: ExactlyOnce}}
	return cfg
}

// TestReceive checks messages of every QoS, in order, also with a handler that publishes.
func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := subscribed(b)
		var c *Client
		cfg.Handler = func(ctx context.Context, m *Message) error {
			if m.ResponseTopic == "" {
				return nil
			}
			_, err := c.Publish(ctx, &Message{Topic: m.ResponseTopic, QoS: 1, CorrelationData: m.CorrelationData, Payload: m.Payload})
			return err
		}
		k := start(t, cfg)
		c = k.Client
		k.await(t, Connected)
		var want, got []string
		for i := range 100 {
			p := packet.Publish{QoS: byte(i % 3), Topic: fmt.Sprint("t", i)}
			if i == 50 {
				p.Properties = packet.Properties{
					Present: packet.Props(packet.PropResponseTopic, packet.PropCorrelationData), ResponseTopic: "r", CorrelationData: []byte("x"),
				}
			}
			b.Publish(p)
			want = append(want, p.Topic)
		}
		for range 101 {
			m := k.message(t)
			if m.Topic == "r" {
				if string(m.CorrelationData) != "x" {
					t.Errorf("%+v", m)
				}
				continue
			}
			got = append(got, m.Topic)
		}
		// QoS 0 messages do not wait for the Receive Maximum, so only each QoS keeps its order.
		for q := range 3 {
			var w, g []string
			for i, topic := range want {
				if i%3 == q {
					w = append(w, topic)
					g = append(g, got[slices.Index(got, topic)])
				}
			}
			wantList(t, fmt.Sprint("QoS ", q), g, w...)
		}
		synctest.Wait()
		wantList(t, "violations", b.Violations())
		if s := k.Stats(); s.Received != 101 || s.Connects != 1 {
			t.Errorf("%+v", s)
		}
		k.close(t, false)
	})
}

// TestHandlerError checks that a message whose handler failed comes again, and others after it.
func TestHandlerError(t *testing.T) {
	for qos := AtLeastOnce; qos <= ExactlyOnce; qos++ {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{})
				defer b.Close()
				cfg := subscribed(b)
				failures := 2
				broken := errors.New("disk full")
				cfg.Handler = func(_ context.Context, m *Message) error {
					if m.Topic == "b" && failures > 0 {
						failures--
						return broken
					}
					return nil
				}
				k := start(t, cfg)
				k.await(t, Connected)
				for _, topic := range []string{"a", "b", "c"} {
					b.Publish(packet.Publish{QoS: byte(qos), Topic: topic})
				}
				if e := k.await(t, Disconnected); !errors.Is(e.Err, broken) {
					t.Error(e.Err)
				}
				var got []string
				for range 3 {
					m := k.message(t)
					got = append(got, fmt.Sprint(m.Topic, m.Duplicate))
				}
				wantList(t, "received", got, "afalse", "btrue", "ctrue")
				if f := b.Disconnects(); len(f) != 2 || f[0].Code != packet.ImplementationSpecificError {
					t.Errorf("%+v", f)
				}
				k.close(t, false)
			})
		})
	}
}

// TestExactlyOnce cuts the connection while a QoS 2 message is handled, after it was accepted and
// in a later process: the handler gets it once.
//
// [MQTT-4.3.3-10]
func TestExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		store := &savedFacts{b: b}
		cfg := subscribed(b)
		cfg.Session = store
		var count atomic.Int64
		cfg.Handler = func(context.Context, *Message) error {
			count.Add(1)
			b.Cut() // before the PUBREC
			time.Sleep(5 * time.Second)
			return nil
		}
		k := start(t, cfg)
		k.await(t, Connected)
		b.Publish(packet.Publish{QoS: 2, Topic: "t"})
		k.await(t, Disconnected)
		k.await(t, Connected)
		time.Sleep(10 * time.Second)
		if handled := count.Load(); handled != 1 || len(store.received()) != 0 {
			t.Errorf("handled %d times, then %v", handled, store.received())
		}

		// Now the process ends between acceptance and PUBREC: the store has the identifier.
		store.log = nil
		cfg.Handler = func(context.Context, *Message) error {
			count.Add(1)
			store.setFail(errors.New("power cut"))
			return nil
		}
		k.close(t, false)
		k = start(t, cfg)
		k.await(t, Connected)
		store.setFail(nil)
		b.Publish(packet.Publish{QoS: 2, Topic: "t"})
		k.await(t, Disconnected) // PUBREC must not be sent before the facts are saved
		if handled := count.Load(); handled != 2 {
			t.Errorf("handled %d times", handled)
		}
		store.setFail(nil)
		k.await(t, Connected)
		time.Sleep(time.Second)
		if handled := count.Load(); handled != 2 || len(store.received()) != 0 {
			t.Errorf("handled %d times, then %v", handled, store.received())
		}
		k.close(t, false)

		store.facts.Received = []uint16{3} // the next identifier of the broker
		cfg.Handler = func(context.Context, *Message) error { count.Add(1); return nil }
		k = start(t, cfg)
		k.await(t, Connected)
		b.Publish(packet.Publish{QoS: 2, Topic: "t"})
		time.Sleep(time.Second)
		if handled := count.Load(); handled != 2 || len(store.received()) != 0 {
			t.Errorf("handled %d times although the store knew the message, then %v", handled, store.received())
		}
		k.close(t, false)
	})
}

// TestBrokerMistakes checks with which code the client leaves a broker that breaks the rules.
func TestBrokerMistakes(t *testing.T) {
	publish := func(n int, qos byte) (b []byte) {
		for i := range n {
			p := packet.Publish{QoS: qos, ID: uint16(i + 1), Topic: "t"}
			b = p.Append(b)
		}
		return b
	}
	alias := packet.Publish{Topic: "t", Properties: packet.Properties{Present: packet.Props(packet.PropTopicAlias), TopicAlias: 1}}
	for _, v := range []struct {
		name string
		raw  []byte
		code packet.ReasonCode
	}{
		{"receive maximum, QoS 1", publish(5, 1), packet.ReceiveMaximumExceeded},
		{"receive maximum, QoS 2", publish(5, 2), packet.ReceiveMaximumExceeded},
		{"too large", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, packet.PacketTooLarge},
		{"topic alias", alias.Append(nil), packet.TopicAliasInvalid},
		{"no topic", []byte{0x30, 3, 0, 0, 0}, packet.ProtocolError},
		{"malformed", []byte{0x36, 3, 0, 1, 'a'}, packet.MalformedPacket},
		{"CONNACK again", []byte{0x20, 3, 0, 0, 0}, packet.ProtocolError},
		{"AUTH", []byte{0xf0, 0}, packet.ProtocolError},
		{"SUBSCRIBE", []byte{0x82, 7, 0, 1, 0, 0, 1, 'a', 0}, packet.ProtocolError},
		{"DISCONNECT with session expiry", []byte{0xe0, 7, 0, 5, 0x11, 0, 0, 0, 1}, packet.ProtocolError},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{})
				defer b.Close()
				cfg := connectTo(b)
				cfg.ReceiveMaximum = 4
				cfg.Handler = func(ctx context.Context, _ *Message) error { <-ctx.Done(); return nil }
				k := start(t, cfg)
				k.await(t, Connected)
				b.Send(v.raw)
				if e := k.await(t, Disconnected); leaveCode(e.Err) != v.code {
					t.Error(e.Err)
				}
				synctest.Wait()
				if f := b.Disconnects(); len(f) != 1 || f[0].Code != v.code {
					t.Errorf("DISCONNECT %+v, want %v", f, v.code)
				}
				k.await(t, Connected)
				k.close(t, false)
			})
		})
	}
}

// TestTopicAlias checks aliases of the broker: learnt, used, changed, unknown, and forgotten with
// the connection.
func TestTopicAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.TopicAliasMaximum = 2
		k := start(t, cfg)
		send := func(topic string, alias uint16) {
			p := packet.Publish{Topic: topic, Properties: packet.Properties{Present: packet.Props(packet.PropTopicAlias), TopicAlias: alias}}
			b.Send(p.Append(nil))
		}
		k.await(t, Connected)
		send("a", 1)
		send("b", 2)
		send("", 1)
		send("", 2)
		send("c", 1)
		send("", 1)
		var got []string
		for range 6 {
			got = append(got, k.message(t).Topic)
		}
		wantList(t, "topics", got, "a", "b", "a", "b", "c", "c")
		for _, v := range []struct {
			alias uint16
			code  packet.ReasonCode
		}{{0, packet.TopicAliasInvalid}, {3, packet.TopicAliasInvalid}, {1, packet.ProtocolError}} {
			b.Cut()
			k.await(t, Disconnected)
			k.await(t, Connected)
			send("", v.alias)
			if e := k.await(t, Disconnected); leaveCode(e.Err) != v.code {
				t.Errorf("alias %d: %v", v.alias, e.Err)
			}
			k.await(t, Connected)
		}
		if c := b.Connects(); c[0].Properties.TopicAliasMaximum != 2 {
			t.Errorf("%+v", c[0].Properties)
		}
		k.close(t, false)
	})
}

// TestHarmless checks what a client must survive.
//
// [MQTT-4.2-1]
func TestHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		for _, raw := range [][]byte{
			{0x40, 2, 0, 9}, {0x50, 2, 0, 9}, {0x70, 2, 0, 9}, {0x62, 2, 0, 9}, {0x90, 4, 0, 9, 0, 0}, {0xb0, 4, 0, 9, 0, 0}, {0xd0, 0},
		} {
			for _, one := range raw { // byte for byte
				b.Send([]byte{one})
				synctest.Wait()
			}
		}
		k.publish(t, &Message{Topic: "t", QoS: 1})
		if s := k.Stats(); s.Connects != 1 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
		k.close(t, false)
	})
}

// TestFlood checks that QoS 0 messages that nobody handles in time are dropped instead of filling
// the memory, and that pings and acknowledgements go on.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		release := make(chan struct{})
		cfg := subscribed(b)
		cfg.Handler = func(context.Context, *Message) error { <-release; return nil }
		k := start(t, cfg)
		k.await(t, Connected)
		for range 1000 {
			b.Publish(packet.Publish{Topic: "t", Payload: []byte("x")})
		}
		if _, err := k.Publish(t.Context(), &Message{Topic: "$mine", QoS: 1}); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Minute)
		if s := k.Stats(); s.Dropped < 1000-1-maxQoS0 || s.Dropped > 1000-maxQoS0 || !s.Connected || s.Connects != 1 {
			t.Errorf("%+v", s)
		}
		close(release)
		k.close(t, false)
	})
}

// TestLargeMessage checks messages beyond the read buffer, and one that comes in pieces.
func TestLargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		k := start(t, subscribed(b))
		k.await(t, Connected)
		for _, size := range []int{readBuffer - 20, readBuffer - 8, readBuffer - 7, readBuffer - 6, readBuffer, 1 << 19} {
			payload := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
			k.publish(t, &Message{Topic: "t", QoS: 1, Payload: payload})
			if got := k.message(t).Payload; !bytes.Equal(got, payload) {
				t.Errorf("%d bytes sent, %d received, or others", size, len(got))
			}
		}
		k.close(t, false)
	})
}
