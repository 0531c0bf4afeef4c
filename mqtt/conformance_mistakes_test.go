package mqtt

import (
	"context"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestReceiveMistakes checks with which code the client leaves a broker whose packets break a rule,
// that the connection ends, and that nothing was delivered.
//
// [MQTT-4.13.1-1] [MQTT-3.14.4-2]
func TestReceiveMistakes(t *testing.T) {
	for _, v := range []struct {
		name string
		raw  string
		code string
	}{
		{"topic not UTF-8", "\x30\x04\x00\x01\xff\x00", "0x81"},                               // [MQTT-1.5.4-1] [MQTT-3.3.2-1]
		{"topic with half a surrogate pair", "\x30\x06\x00\x03\xed\xa0\x80\x00", "0x81"},      // [MQTT-1.5.4-1]
		{"topic with NUL", "\x30\x04\x00\x01\x00\x00", "0x81"},                                // [MQTT-1.5.4-2] [MQTT-4.7.3-2]
		{"topic with wildcard", "\x30\x06\x00\x03a/#\x00", "0x81"},                            // [MQTT-3.3.2-2] [MQTT-4.7.0-1]
		{"user property not UTF-8", "\x30\x0b\x00\x01t\x07\x26\x00\x01k\x00\x01\xff", "0x81"}, // [MQTT-1.5.7-1]
		{"content type not UTF-8", "\x30\x08\x00\x01t\x04\x03\x00\x01\xff", "0x81"},           // [MQTT-3.3.2-19]
		{"response topic not UTF-8", "\x30\x08\x00\x01t\x04\x08\x00\x01\xff", "0x81"},         // [MQTT-3.3.2-13]
		{"response topic with wildcard", "\x30\x08\x00\x01t\x04\x08\x00\x01+", "0x82"},        // [MQTT-3.3.2-14]
		{"length not shortest", "\xd0\x80\x00", "0x81"},                                       // [MQTT-1.5.5-1]
		{"QoS 3", "\x36\x06\x00\x01t\x00\x01\x00", "0x81"},                                    // [MQTT-3.3.1-4]
		{"DUP with QoS 0", "\x38\x04\x00\x01t\x00", "0x81"},                                   // [MQTT-3.3.1-2]
		{"identifier 0", "\x32\x06\x00\x01t\x00\x00\x00", "0x82"},                             // [MQTT-2.2.1-4]
		{"alias 0", "\x30\x07\x00\x01t\x03\x23\x00\x00", "0x94"},                              // [MQTT-3.3.2-8]
		{"alias not taken", "\x30\x07\x00\x01t\x03\x23\x00\x01", "0x94"},                      // [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
		{"too large", "\x30\x81\x80\x40", "0x95"},                                             // [MQTT-3.1.2-24]
		{"PUBACK code", "\x40\x03\x00\x01\x01", "0x82"},                                       // [MQTT-3.4.2-1]
		{"PUBREC code", "\x50\x03\x00\x01\x01", "0x82"},                                       // [MQTT-3.5.2-1]
		{"PUBREL flags", "\x60\x02\x00\x01", "0x81"},                                          // [MQTT-3.6.1-1]
		{"PUBREL code", "\x62\x03\x00\x01\x80", "0x82"},                                       // [MQTT-3.6.2-1]
		{"PUBCOMP code", "\x70\x03\x00\x01\x80", "0x82"},                                      // [MQTT-3.7.2-1]
		{"SUBACK code", "\x90\x04\x00\x01\x00\x03", "0x82"},                                   // [MQTT-3.9.3-2]
		{"UNSUBACK code", "\xb0\x04\x00\x01\x00\x01", "0x82"},                                 // [MQTT-3.11.3-2]
		{"DISCONNECT flags", "\xe1\x00", "0x81"},                                              // [MQTT-3.14.1-1]
		{"DISCONNECT code", "\xe0\x01\x01", "0x82"},                                           // [MQTT-3.14.2-1]
		{"DISCONNECT with session expiry", "\xe0\x07\x00\x05\x11\x00\x00\x00\x01", "0x82"},    // [MQTT-3.14.2-2]
		{"AUTH flags", "\xf1\x00", "0x81"},                                                    // [MQTT-3.15.1-1]
		{"AUTH code", "\xf0\x01\x01", "0x82"},                                                 // [MQTT-3.15.2-1]
		{"AUTH without method", "\xf0\x00", "0x82"},                                           // [MQTT-4.12.0-6]
		{"CONNACK again", "\x20\x03\x00\x00\x00", "0x82"},                                     // [MQTT-3.2.0-2]
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.accept(t, false, packet.Properties{})
				k.await(t, Connected)
				p.raw([]byte(v.raw))
				wantList(t, "sent", p.sent(t), "DISCONNECT "+v.code, "end")
				if len(k.received) != 0 {
					t.Error("delivered")
				}
			})
		})
	}
}

// TestReservedFlags checks that every packet that a broker may send has the flags that the standard
// gives it.
//
// [MQTT-2.1.3-1]
func TestReservedFlags(t *testing.T) {
	for typ := packet.CONNACK; typ <= packet.AUTH; typ++ {
		for flags := range byte(16) {
			_, _, err := packet.DecodeHeader([]byte{byte(typ)<<4 | flags, 0})
			ok := err == nil
			want := flags == 0
			switch typ {
			case packet.PUBLISH:
				want = flags&6 != 6 && flags&14 != 8
			case packet.PUBREL, packet.SUBSCRIBE, packet.UNSUBSCRIBE:
				want = flags == 2
			}
			if ok != want {
				t.Errorf("%v with flags %04b: %v", typ, flags, err)
			}
		}
	}
}

// TestByteOrderMark checks that U+FEFF arrives, wherever it stands.
//
// [MQTT-1.5.4-3]
func TestByteOrderMark(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		const topic = "\ufeffa/\ufeff"
		p.send(&packet.Publish{Topic: topic})
		if m := k.message(t); m.Topic != topic {
			t.Errorf("%q", m.Topic)
		}
		if err := k.Send(&Message{Topic: topic}, nil); err != nil {
			t.Error(err)
		}
		if m := p.packet(t).(*packet.Publish); m.Topic != topic {
			t.Errorf("%q", m.Topic)
		}
	})
}

// TestReceiveMaximumExceeded checks that a broker that goes on beyond the client's Receive Maximum
// is left.
//
// [MQTT-3.3.4-9]
func TestReceiveMaximumExceeded(t *testing.T) {
	use := func(c *Config) {
		c.ReceiveMaximum = 1
		c.Handler = func(ctx context.Context, _ *Message) error { <-ctx.Done(); return nil }
	}
	conformance(t, use, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		if c := p.accept(t, false, packet.Properties{}); c.Properties.ReceiveMaximum != 1 {
			t.Errorf("%+v", c.Properties)
		}
		k.await(t, Connected)
		p.send(&packet.Publish{QoS: 2, ID: 1, Topic: "t"})
		p.send(&packet.Publish{QoS: 2, ID: 2, Topic: "t"})
		time.Sleep(excessTimeout + time.Second)
		wantList(t, "sent", p.sent(t), "DISCONNECT 0x93", "end")
	})
}
