package mqtt

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestPublishForm checks the bytes of first transmissions: no identifier with QoS 0, a new one
// otherwise, no DUP, the topic first, an empty list of properties as a zero, and none that only a
// server may send.
//
// [MQTT-2.2.2-1] [MQTT-3.3.2-1] [MQTT-3.3.4-6]
func TestPublishForm(t *testing.T) {
	received := Message{Topic: "t", Payload: []byte("x"), Duplicate: true, SubscriptionIDs: []uint32{5}}
	for _, v := range []struct {
		name string
		qos  QoS
		want string
	}{
		{"QoS 0", 0, "\x30\x05\x00\x01t\x00x"},         // [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-4.3.1-1]
		{"QoS 1", 1, "\x32\x07\x00\x01t\x00\x01\x00x"}, // [MQTT-2.2.1-3] [MQTT-3.3.1-3] [MQTT-4.3.2-1] [MQTT-4.3.2-2]
		{"QoS 2", 2, "\x34\x07\x00\x01t\x00\x01\x00x"}, // [MQTT-2.2.1-3] [MQTT-3.3.1-3] [MQTT-4.3.3-1] [MQTT-4.3.3-2]
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.accept(t, false, packet.Properties{})
				m := received // is forwarded: what it came with has no influence
				m.QoS = v.qos
				if err := k.Send(&m, nil); err != nil {
					t.Fatal(err)
				}
				if b := <-p.got; string(b) != v.want {
					t.Errorf("want % x\ngot  % x", v.want, b)
				}
			})
		})
	}
	if err := idleClient(t).Send(&Message{Topic: "t", QoS: 3}, nil); err == nil { // [MQTT-3.3.1-4]
		t.Error("QoS 3")
	}
}

// idleClient returns a client that does nothing.
func idleClient(t *testing.T) *Client {
	t.Helper()
	c, err := New(Config{URLs: []string{"mqtt://peer"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestQoS2Out follows messages of QoS 2 through lost connections: the PUBLISH is repeated until its
// PUBREC, then the PUBREL until its PUBCOMP and never the PUBLISH; PUBRELs go in the order of the
// PUBRECs, also again.
//
// [MQTT-2.2.1-5] [MQTT-3.3.1-1] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6]
// [MQTT-4.4.0-1] [MQTT-4.6.0-4]
func TestQoS2Out(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		reconnect := func(p *peer) *peer {
			p.nc.Close()
			k.await(t, Disconnected)
			q := next()
			q.accept(t, true, packet.Properties{})
			k.await(t, Connected)
			return q
		}
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		var o outcomes
		for _, topic := range []string{"a", "b", "c"} {
			k.send(t, &o, Message{Topic: topic, QoS: 2})
		}
		wantList(t, "first", p.sent(t), "PUBLISH 1 a", "PUBLISH 2 b", "PUBLISH 3 c")
		p = reconnect(p)
		wantList(t, "nothing received", p.sent(t), "PUBLISH 1+ a", "PUBLISH 2+ b", "PUBLISH 3+ c")
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 3})
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 1})
		wantList(t, "two received", p.sent(t), "PUBREL 3", "PUBREL 1")
		p = reconnect(p)
		wantList(t, "two to be released", p.sent(t), "PUBREL 3", "PUBREL 1", "PUBLISH 2+ b")
		p.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 3})
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 2})
		p = reconnect(p)
		wantList(t, "one complete", p.sent(t), "PUBREL 1", "PUBREL 2")
		p.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 1})
		p.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 2})
		wantList(t, "outcomes", o.list, "c: 0x00 success", "a: 0x00 success", "b: 0x00 success")
		wantList(t, "all complete", reconnect(p).sent(t))
	})
}

// TestQoS1Out checks that a message stays unacknowledged until its PUBACK, and that nothing is
// repeated but after a connection was lost.
//
// [MQTT-4.3.2-3] [MQTT-4.4.0-1] [MQTT-3.3.1-1]
func TestQoS1Out(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		k.send(t, &o, Message{Topic: "b", QoS: 1})
		p.send(&packet.PublishAck{Type: packet.PUBACK, ID: 2})
		time.Sleep(40 * time.Second)
		wantList(t, "first", p.sent(t), "PUBLISH 1 a", "PUBLISH 2 b")
		p.nc.Close()
		k.await(t, Disconnected)
		q := next()
		q.accept(t, true, packet.Properties{})
		wantList(t, "second", q.sent(t), "PUBLISH 1+ a")
		wantList(t, "outcomes", o.list, "b: 0x00 success")
		q.send(&packet.PublishAck{Type: packet.PUBACK, ID: 1})
		wantList(t, "outcomes", o.list, "b: 0x00 success", "a: 0x00 success")
	})
}

// TestRefusedIsAcknowledged checks that a refused message is not sent again.
//
// [MQTT-4.4.0-2]
func TestRefusedIsAcknowledged(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		k.send(t, &o, Message{Topic: "b", QoS: 2})
		wantList(t, "first", p.sent(t), "PUBLISH 1 a", "PUBLISH 2 b")
		p.send(&packet.PublishAck{Type: packet.PUBACK, ID: 1, Code: packet.QuotaExceeded})
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 2, Code: packet.NotAuthorized})
		wantList(t, "no PUBREL", p.sent(t))
		p.nc.Close()
		k.await(t, Disconnected)
		q := next()
		q.accept(t, true, packet.Properties{})
		wantList(t, "second", q.sent(t))
		if len(o.list) != 2 {
			t.Errorf("%q", o.list)
		}
	})
}

// TestExpiredInFlight checks that a message that was sent is repeated, and its handshake finished,
// although its lifetime is over.
//
// [MQTT-4.3.3-7] [MQTT-4.3.3-13]
func TestExpiredInFlight(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 2, Expiry: new(time.Second)})
		k.send(t, &o, Message{Topic: "b", QoS: 2, Expiry: new(time.Second)})
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 1})
		wantList(t, "first", p.sent(t), "PUBLISH 1 a", "PUBLISH 2 b", "PUBREL 1")
		time.Sleep(10 * time.Second)
		p.nc.Close()
		k.await(t, Disconnected)
		q := next()
		q.accept(t, true, packet.Properties{})
		wantList(t, "second", q.sent(t), "PUBREL 1", "PUBLISH 2+ b")
		q.send(&packet.PublishAck{Type: packet.PUBREC, ID: 2})
		q.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 1})
		q.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 2})
		wantList(t, "outcomes", o.list, "a: 0x00 success", "b: 0x00 success")
	})
}

// TestFullWindow checks that no message beyond the Receive Maximum is sent, of QoS 1 and 2
// together, that nothing else waits for room, and that a resumed session keeps to the new maximum.
//
// [MQTT-3.3.4-7] [MQTT-3.3.4-8] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]
func TestFullWindow(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, receiveMaximum(2))
		k.await(t, Connected)
		var o outcomes
		for i, topic := range []string{"a", "b", "c"} {
			k.send(t, &o, Message{Topic: topic, QoS: QoS(1 + i%2)})
		}
		wantList(t, "full", p.sent(t), "PUBLISH 1 a", "PUBLISH 2 b")
		go func() { _, _ = k.Subscribe(t.Context(), Subscription{Filter: "f"}) }()
		synctest.Wait()
		go func() { _, _ = k.Unsubscribe(t.Context(), []string{"f"}) }()
		p.send(&packet.Publish{QoS: 1, ID: 1, Topic: "in"})
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "in"})
		p.send(&packet.PublishAck{Type: packet.PUBREL, ID: 2})
		p.send(&packet.PublishAck{Type: packet.PUBREC, ID: 2})
		wantList(t, "beside", p.sent(t), "SUBSCRIBE 3", "UNSUBSCRIBE 4", "PUBACK 1", "PUBREC 2", "PUBCOMP 2", "PUBREL 2")
		time.Sleep(46 * time.Second)
		wantList(t, "ping", p.sent(t), "PINGREQ")
		p.nc.Close()
		k.await(t, Disconnected)
		q := next()
		q.accept(t, true, receiveMaximum(1))
		// b is released already, and counts as long as its PUBCOMP is missing.
		wantList(t, "smaller", q.sent(t), "PUBREL 2", "SUBSCRIBE 5", "UNSUBSCRIBE 6")
		q.send(&packet.PublishAck{Type: packet.PUBCOMP, ID: 2})
		wantList(t, "one at a time", q.sent(t), "PUBLISH 1+ a")
		q.send(&packet.PublishAck{Type: packet.PUBACK, ID: 1})
		wantList(t, "the next", q.sent(t), "PUBLISH 7 c")
	})
}

// TestAliasesOut checks that aliases are between 1 and the broker's maximum, that there are none
// without one, and that they end with the connection.
//
// [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-9]
func TestAliasesOut(t *testing.T) {
	conformance(t, func(c *Config) { c.OutboundTopicAliases = 1000 }, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		var o outcomes
		for _, maximum := range []uint16{0, 2, 3} {
			p.accept(t, maximum > 0, puts(func(p *packet.Properties) { p.TopicAliasMaximum = maximum }, packet.PropTopicAliasMaximum))
			k.await(t, Connected)
			topics := make(map[uint16]string)
			for i := range 200 {
				topic := fmt.Sprint("sensors/temperature/", i%4)
				k.send(t, &o, Message{Topic: topic})
				m := p.packet(t).(*packet.Publish)
				alias := m.Properties.TopicAlias
				switch {
				case !m.Properties.Present.Has(packet.PropTopicAlias):
				case alias == 0 || alias > maximum:
					t.Errorf("alias %d, at most %d", alias, maximum)
				case m.Topic == "":
					m.Topic = topics[alias]
				default:
					topics[alias] = m.Topic
				}
				if m.Topic != topic {
					t.Errorf("maximum %d, message %d: topic %q, want %q", maximum, i, m.Topic, topic)
				}
			}
			if len(topics) != int(maximum) {
				t.Errorf("%d aliases in use, want %d", len(topics), maximum)
			}
			p.nc.Close()
			k.await(t, Disconnected)
			p = next()
		}
		p.nc.Close()
	})
}
