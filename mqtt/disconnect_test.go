package mqtt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestDisconnect checks the bytes of the DISCONNECT that Close was asked for.
func TestDisconnect(t *testing.T) {
	full := Disconnect{
		Code: packet.AdministrativeAction, Reason: "moving", UserProperties: []UserProperty{{Key: "to", Value: "hall 2"}}, SessionExpiry: time.Minute,
	}
	for _, v := range []struct {
		name       string
		disconnect Disconnect
		limit      uint32 // the broker's Maximum Packet Size
		want       string
	}{
		{"normal", Disconnect{}, 100, "\xe0\x00"},
		{"with will", Disconnect{Code: packet.DisconnectWithWill}, 100, "\xe0\x01\x04"},
		{"session ends", Disconnect{SessionExpiry: NoSession}, 100, "\xe0\x07\x00\x05\x11\x00\x00\x00\x00"},
		{"everything", full, 100, "\xe0\x1d\x98\x1b\x11\x00\x00\x00\x3c\x1f\x00\x06moving\x26\x00\x02to\x00\x06hall 2"},
		{"just fits", full, 31, "\xe0\x1d\x98\x1b\x11\x00\x00\x00\x3c\x1f\x00\x06moving\x26\x00\x02to\x00\x06hall 2"},
		{"too large", full, 30, "\xe0\x07\x98\x05\x11\x00\x00\x00\x3c"}, // [MQTT-3.14.2-3] [MQTT-3.14.2-4]
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.accept(t, false, packet.Properties{Present: packet.Props(packet.PropMaximumPacketSize), MaximumPacketSize: v.limit})
				k.await(t, Connected)
				go func() { _ = k.Close(t.Context(), v.disconnect) }()
				if b := <-p.got; string(b) != v.want {
					t.Errorf("want % x\ngot  % x", v.want, b)
				}
			})
		})
	}
}

// TestInvalidDisconnects checks that Close refuses what MQTT does not allow and that the client
// goes on.
func TestInvalidDisconnects(t *testing.T) {
	for _, v := range []struct {
		name          string
		disconnect    Disconnect
		sessionExpiry time.Duration
	}{
		{"a code for brokers", Disconnect{Code: packet.ServerShuttingDown}, 0}, // [MQTT-3.14.2-1]
		{"a success that is none", Disconnect{Code: packet.NoMatchingSubscribers}, 0},
		{"reason", Disconnect{Reason: "\xff"}, 0},
		{"user property", Disconnect{UserProperties: []UserProperty{{Key: strings.Repeat("k", 65536)}}}, 0},
		{"session that was to end", Disconnect{SessionExpiry: time.Second}, -1},
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, func(c *Config) { c.SessionExpiry = v.sessionExpiry }, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.accept(t, false, packet.Properties{})
				k.await(t, Connected)
				if err := k.Close(t.Context(), v.disconnect); !errors.Is(err, ErrInvalid) {
					t.Errorf("got %v", err)
				}
				go func() { _ = k.Close(t.Context(), Disconnect{}) }()
				if b := <-p.got; string(b) != "\xe0\x00" {
					t.Errorf("after the refused DISCONNECT a good one sent % x", b)
				}
			})
		})
	}
}

// TestNoProblemInformation checks that the broker is asked to leave reasons out, and left if it
// does not.
func TestNoProblemInformation(t *testing.T) {
	why := packet.Properties{Present: packet.Props(packet.PropReasonString), ReasonString: "why"}
	for _, v := range []struct {
		name   string
		packet packet.Packet
		want   []string
	}{
		{"puback", &packet.PublishAck{Type: packet.PUBACK, ID: 1, Properties: why}, []string{"DISCONNECT 0x82", "end"}}, // [MQTT-3.1.2-29]
		{"suback", &packet.Suback{Type: packet.SUBACK, ID: 1, Codes: []ReasonCode{0}, Properties: why}, []string{"DISCONNECT 0x82", "end"}},
		{"puback without", &packet.PublishAck{Type: packet.PUBACK, ID: 1}, nil},
		{"publish", &packet.Publish{Topic: "t", Properties: packet.Properties{
			Present: packet.Props(packet.PropUserProperty), UserProperties: []UserProperty{{Key: "a", Value: "b"}},
		}}, nil},
		{"disconnect", &packet.Disconnect{Code: packet.ServerShuttingDown, Properties: why}, []string{"end"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, func(c *Config) { c.NoProblemInformation = true }, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				c := p.accept(t, false, packet.Properties{})
				if !c.Properties.Present.Has(packet.PropRequestProblemInformation) || c.Properties.RequestProblemInformation != 0 {
					t.Errorf("CONNECT has %+v", c.Properties)
				}
				k.await(t, Connected)
				p.send(v.packet)
				wantList(t, "sent", p.sent(t), v.want...)
			})
		})
	}
}

// TestRequestProperties checks that user properties reach the broker with both requests, and that
// those of its answers, and its reasons, reach the caller; also that an UNSUBACK without codes is
// an error of the request alone.
func TestRequestProperties(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		type outcome struct {
			ack SubscriptionResult
			err error
		}
		result := make(chan outcome, 1)
		go func() {
			a, err := k.Subscribe(t.Context(),
				Subscription{Filter: "a", UserProperties: []UserProperty{{Key: "x", Value: "1"}}},
				Subscription{Filter: "b", UserProperties: []UserProperty{{Key: "x", Value: "2"}}})
			result <- outcome{a, err}
		}()
		if b, want := <-p.got, "\x82\x19\x00\x01\x0e\x26\x00\x01x\x00\x011\x26\x00\x01x\x00\x012\x00\x01a\x00\x00\x01b\x00"; string(b) != want {
			t.Errorf("want % x\ngot  % x", want, b)
		}
		said := packet.Properties{
			Present:      packet.Props(packet.PropReasonString, packet.PropUserProperty),
			ReasonString: "half", UserProperties: []UserProperty{{Key: "quota", Value: "1"}},
		}
		p.send(&packet.Suback{Type: packet.SUBACK, ID: 1, Codes: []ReasonCode{0, packet.QuotaExceeded}, Properties: said})
		o := <-result
		if reasonCode(o.err) != packet.QuotaExceeded || len(o.ack.Codes) != 2 || o.ack.Reason != "half" || len(o.ack.UserProperties) != 1 {
			t.Errorf("subscribe: %+v", o)
		}

		go func() {
			a, err := k.Unsubscribe(t.Context(), []string{"a"}, UserProperty{Key: "y", Value: "3"})
			result <- outcome{a, err}
		}()
		if b, want := <-p.got, "\xa2\x0d\x00\x02\x07\x26\x00\x01y\x00\x013\x00\x01a"; string(b) != want {
			t.Errorf("want % x\ngot  % x", want, b)
		}
		p.send(&packet.Suback{Type: packet.UNSUBACK, ID: 2, Properties: said})
		if o := <-result; o.err == nil || o.ack.Reason != "half" {
			t.Errorf("an UNSUBACK without codes: %+v", o)
		}
		wantList(t, "sent", p.sent(t))

		bad := UserProperty{Key: "\x00"}
		if _, err := k.Subscribe(t.Context(), Subscription{Filter: "a", UserProperties: []UserProperty{bad}}); !errors.Is(err, ErrInvalid) {
			t.Errorf("subscribe with a bad property: %v", err)
		}
		if _, err := k.Unsubscribe(t.Context(), []string{"a"}, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("unsubscribe with a bad property: %v", err)
		}
	})
}
