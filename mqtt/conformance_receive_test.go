package mqtt

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestAnswers checks which answer a message gets: the one of its QoS, with its identifier and
// nothing but success in it, even if nobody handles messages or nobody asked for the topic.
//
// [MQTT-2.2.1-5] [MQTT-3.3.2-3] [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11]
// [MQTT-4.5.0-2]
// [MQTT-3.4.2-1] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-1] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
// [MQTT-3.6.2-1] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-1] [MQTT-3.7.2-2] [MQTT-3.7.2-3]
func TestAnswers(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		p.send(&packet.Publish{Topic: "never/asked/for"})
		wantList(t, "QoS 0", p.sent(t))
		p.send(&packet.Publish{QoS: 1, ID: 65535, Topic: "never/asked/for"})
		p.send(&packet.Publish{QoS: 2, ID: 4711, Topic: "never/asked/for"})
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 4711})
		var o outcomes
		k.send(t, &o, Message{Topic: "out", QoS: 2})
		for _, want := range []string{"\x40\x02\xff\xff", "\x50\x02\x12\x67", "\x70\x02\x12\x67", "\x34\x08\x00\x03out\x00\x01\x00"} {
			if b := <-p.got; string(b) != want {
				t.Errorf("want % x, got % x", want, b)
			}
		}
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 1})
		if b := <-p.got; string(b) != "\x62\x02\x00\x01" { // [MQTT-3.6.1-1]
			t.Errorf("got % x", b)
		}
		// What nobody knows is answered with the other code of the tables.
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 99})
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 99})
		wantList(t, "unknown", p.sent(t), "PUBREL 99 0x92", "PUBCOMP 99 0x92")
		if len(k.received) != 3 {
			t.Errorf("%d messages", len(k.received))
		}
	})
}

// TestIdentifierAgain checks when an identifier that comes again is a new message: with QoS 1 after
// its PUBACK, whatever DUP says; with QoS 2 after its PUBCOMP, and not before, over connections
// too.
//
// [MQTT-4.3.2-5] [MQTT-4.3.3-10] [MQTT-4.3.3-12]
func TestIdentifierAgain(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		want := func(messages int, answers ...string) {
			t.Helper()
			wantList(t, "answers", p.sent(t), answers...)
			if n := len(k.received); n != messages {
				t.Errorf("%d messages, want %d", n, messages)
			}
		}
		p.send(&packet.Publish{QoS: 1, ID: 1, Topic: "t"})
		p.send(&packet.Publish{QoS: 1, ID: 1, Topic: "t", Dup: true})
		want(2, "PUBACK 1", "PUBACK 1")
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "t"})
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "t", Dup: true})
		want(3, "PUBREC 2", "PUBREC 2")
		p.nc.Close()
		k.await(t, Disconnected)
		p = next()
		p.accept(t, true, packet.Properties{})
		k.await(t, Connected)
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "t", Dup: true})
		want(3, "PUBREC 2")
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 2})
		want(3, "PUBCOMP 2")
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "t", Dup: true})
		want(4, "PUBREC 2")
	})
}

// TestNotAccepted checks that a message that the handler refuses is not answered at all, so that it
// stays the broker's: the client leaves, and the same identifier is a new message afterwards.
//
// [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-9]
func TestNotAccepted(t *testing.T) {
	failures := 0
	use := func(c *Config) {
		c.Handler = func(context.Context, *Message) error {
			if failures++; failures <= 2 {
				return errors.New("disk full")
			}
			return nil
		}
	}
	conformance(t, use, func(t *testing.T, k *tester, next func() *peer) {
		for qos := byte(1); qos <= 2; qos++ {
			p := next()
			p.accept(t, qos > 1, packet.Properties{})
			k.await(t, Connected)
			p.send(&packet.Publish{QoS: qos, ID: 5, Topic: "t"})
			wantList(t, "refused", p.sent(t), "DISCONNECT 0x83", "end")
			k.await(t, Disconnected)
		}
		p := next()
		p.accept(t, true, packet.Properties{})
		k.await(t, Connected)
		p.send(&packet.Publish{QoS: 2, ID: 5, Topic: "t", Dup: true})
		wantList(t, "accepted", p.sent(t), "PUBREC 5")
	})
}

// TestAnswersInOrder checks that messages are answered in the order in which they came, however
// they are accepted.
//
// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
func TestAnswersInOrder(t *testing.T) {
	var held []*Message
	use := func(c *Config) {
		c.ManualAck = true
		c.Handler = func(_ context.Context, m *Message) error { held = append(held, m); return nil }
	}
	conformance(t, use, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		for i := range uint16(6) {
			p.send(&packet.Publish{QoS: 1 + byte(i%2), ID: 10 - i, Topic: "t"})
		}
		for i := len(held) - 1; i >= 0; i-- {
			wantList(t, "before all are accepted", p.sent(t))
			if err := held[i].Ack(); err != nil {
				t.Error(err)
			}
		}
		wantList(t, "answers", p.sent(t), "PUBACK 10", "PUBREC 9", "PUBACK 8", "PUBREC 7", "PUBACK 6", "PUBREC 5")
	})
}

// TestAliasesIn checks that every alias up to the maximum works, also after a connection in which
// it had another meaning.
//
// [MQTT-3.3.2-7] [MQTT-3.3.2-10]
func TestAliasesIn(t *testing.T) {
	const most = 65535
	conformance(t, func(c *Config) { c.TopicAliasMaximum = most }, func(t *testing.T, k *tester, next func() *peer) {
		alias := func(topic string, n uint16) *packet.Publish {
			return &packet.Publish{Topic: topic, Properties: puts(func(p *packet.Properties) { p.TopicAlias = n }, packet.PropTopicAlias)}
		}
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		for _, n := range []uint16{1, 2, 255, 256, most} {
			p.send(alias("t", n))
			p.send(alias("", n))
			if a, b := k.message(t).Topic, k.message(t).Topic; a != "t" || b != "t" {
				t.Errorf("alias %d: %q, %q", n, a, b)
			}
		}
		p.nc.Close()
		k.await(t, Disconnected)
		p = next()
		p.accept(t, true, packet.Properties{})
		k.await(t, Connected)
		time.Sleep(time.Second)
		p.send(alias("", 1))
		wantList(t, "an alias of the last connection", p.sent(t), "DISCONNECT 0x82", "end")
	})
}

// TestReceivedInLostSession checks that identifiers of a session that the broker lost are new ones
// in the next.
//
// [MQTT-3.2.2-5]
func TestReceivedInLostSession(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		for connection := range 2 {
			p := next()
			p.accept(t, false, packet.Properties{})
			k.await(t, Connected)
			p.send(&packet.Publish{QoS: 2, ID: 1, Topic: "t"})
			wantList(t, "sent", p.sent(t), "PUBREC 1")
			if n := len(k.received); n != connection+1 {
				t.Errorf("%d messages on %d connections", n, connection+1)
			}
			p.nc.Close()
			k.await(t, Disconnected)
		}
		next().nc.Close()
	})
}

// TestReleaseRepeated checks that a PUBREL that came on a connection that ended before it was
// answered is answered on the next.
//
// [MQTT-4.3.3-11]
func TestReleaseRepeated(t *testing.T) {
	var busy chan struct{} // of the bubble
	use := func(c *Config) {
		busy = make(chan struct{})
		c.Handler = func(_ context.Context, m *Message) error {
			if m.Topic == "slow" {
				<-busy
			}
			return nil
		}
	}
	conformance(t, use, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		p.send(&packet.Publish{QoS: 2, ID: 1, Topic: "t"})
		p.send(&packet.Publish{QoS: 1, ID: 2, Topic: "slow"})
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 1})
		wantList(t, "sent", p.sent(t), "PUBREC 1")
		p.nc.Close()
		k.await(t, Disconnected)
		close(busy)
		p = next()
		p.accept(t, true, packet.Properties{})
		k.await(t, Connected)
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 1})
		wantList(t, "again", p.sent(t), "PUBCOMP 1")
	})
}
