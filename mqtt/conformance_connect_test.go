package mqtt

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestConnectForm checks the bytes of the CONNECT for what may be in it and left out: name and
// version, flags, order.
//
// [MQTT-3.1.0-1] [MQTT-3.1.2-1] [MQTT-3.1.2-3] [MQTT-3.1.3-3]
func TestConnectForm(t *testing.T) {
	id := "\x00\x01c"
	will := func(qos QoS, retain bool) func() *Will {
		return func() *Will {
			return &Will{Message: Message{Topic: "w", Payload: []byte("bye"), QoS: qos, Retain: retain}}
		}
	}
	login := func(user string, password []byte) func(context.Context) (Credentials, error) {
		return func(context.Context) (Credentials, error) {
			return Credentials{Username: user, Password: password}, nil
		}
	}
	const willProperties, willTopic, willPayload = "\x00", "\x00\x01w", "\x00\x03bye"
	for _, v := range []struct {
		name    string
		use     func(*Config)
		flags   byte
		payload string
	}{
		{"nothing", func(*Config) {}, 0, id},                                                                              // [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-16] [MQTT-3.1.2-18]
		{"no client id", func(c *Config) { c.ClientID = "" }, 0, "\x00\x00"},                                              // [MQTT-3.1.3-6]
		{"will", func(c *Config) { c.Will = will(0, false) }, 0x04, id + willProperties + willTopic + willPayload},        // [MQTT-3.1.2-9]
		{"will QoS 1", func(c *Config) { c.Will = will(1, false) }, 0x0c, id + willProperties + willTopic + willPayload},  // [MQTT-3.1.2-12]
		{"will QoS 2", func(c *Config) { c.Will = will(2, true) }, 0x34, id + willProperties + willTopic + willPayload},   // [MQTT-3.1.2-12]
		{"user name", func(c *Config) { c.Credentials = login("u", nil) }, 0x80, id + "\x00\x01u"},                        // [MQTT-3.1.2-17] [MQTT-3.1.2-18]
		{"password only", func(c *Config) { c.Credentials = login("", []byte("pw")) }, 0x40, id + "\x00\x02pw"},           // [MQTT-3.1.2-16] [MQTT-3.1.2-19]
		{"empty password", func(c *Config) { c.Credentials = login("u", []byte{}) }, 0xc0, id + "\x00\x01u" + "\x00\x00"}, // [MQTT-3.1.2-19]
		{"everything", func(c *Config) { c.Will, c.Credentials, c.CleanStart = will(1, true), login("u", []byte("pw")), true }, 0xee,
			id + willProperties + willTopic + willPayload + "\x00\x01u" + "\x00\x02pw"}, // [MQTT-3.1.3-1]
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, v.use, func(t *testing.T, _ *tester, next func() *peer) {
				b := <-next().got
				_, size, err := packet.DecodeHeader(b)
				if err != nil {
					t.Fatal(err)
				}
				b = b[size:]
				if want := "\x00\x04MQTT\x05" + string(v.flags); !bytes.HasPrefix(b, []byte("\x00\x04MQTT\x05")) || b[7] != v.flags {
					t.Errorf("begins with % x, want % x", b[:8], want)
				}
				properties := int(b[10]) // less than 128 bytes
				if got := b[11+properties:]; string(got) != v.payload {
					t.Errorf("payload %q, want %q", got, v.payload)
				}
			})
		})
	}
}

// TestConnectStrings checks that what is not an MQTT string is not sent.
//
// [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-3.1.2-12]
func TestConnectStrings(t *testing.T) {
	if _, err := New(Config{URLs: []string{"mqtt://peer"}, ClientID: "\xff"}); err == nil {
		t.Error("client id that is not UTF-8")
	}
	for _, use := range []func(*Config){
		func(c *Config) { c.Will = func() *Will { return &Will{Message: Message{Topic: "\xff"}} } },
		func(c *Config) { c.Will = func() *Will { return &Will{Message: Message{Topic: "w", QoS: 3}} } },
		func(c *Config) {
			c.Credentials = func(context.Context) (Credentials, error) { return Credentials{Username: "\xff"}, nil }
		},
	} {
		conformance(t, use, func(t *testing.T, k *tester, _ func() *peer) {
			if e := k.await(t, Disconnected); e.Err == nil || !IsPermanent(e.Err) {
				t.Error(e.Err)
			}
		})
	}
}

// TestConnackMistakes checks that the client leaves a broker whose first packet is wrong, with
// which code, and that nothing was delivered.
func TestConnackMistakes(t *testing.T) {
	for _, v := range []struct {
		name string
		raw  string
		code packet.ReasonCode
	}{
		{"PINGRESP first", "\xd0\x00", packet.ProtocolError},                                       // [MQTT-3.2.0-1]
		{"PUBLISH first", "\x30\x04\x00\x01t\x00", packet.ProtocolError},                           // [MQTT-3.2.0-1]
		{"DISCONNECT first", "\xe0\x01\x8b", packet.ProtocolError},                                 // [MQTT-3.14.0-1]
		{"AUTH without being asked", "\xf0\x02\x18\x00", packet.ProtocolError},                     // [MQTT-4.12.0-6]
		{"method without being asked", "\x20\x07\x00\x00\x04\x15\x00\x01m", packet.ProtocolError},  // [MQTT-4.12.0-6]
		{"reserved flags", "\x20\x03\x02\x00\x00", packet.MalformedPacket},                         // [MQTT-3.2.2-1]
		{"session present after clean start", "\x20\x03\x01\x00\x00", packet.ProtocolError},        // [MQTT-3.2.2-2]
		{"refused with session present", "\x20\x03\x01\x87\x00", packet.ProtocolError},             // [MQTT-3.2.2-6]
		{"unknown code", "\x20\x03\x00\xff\x00", packet.ProtocolError},                             // [MQTT-3.2.2-8]
		{"code of another packet", "\x20\x03\x00\x04\x00", packet.ProtocolError},                   // [MQTT-3.2.2-8]
		{"another id assigned", "\x20\x07\x00\x00\x04\x12\x00\x01d", packet.ProtocolError},         // [MQTT-3.1.3-2]
		{"reason string with NUL", "\x20\x07\x00\x00\x04\x1f\x00\x01\x00", packet.MalformedPacket}, // [MQTT-1.5.4-2]
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, func(c *Config) { c.CleanStart = true }, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.packet(t)
				p.raw([]byte(v.raw))
				e := k.await(t, Disconnected)
				if leaveCode(e.Err) != v.code {
					t.Error(e.Err)
				}
				wantList(t, "sent", p.sent(t), "DISCONNECT 0x"+strings.ToUpper(string("0123456789abcdef"[v.code>>4])+string("0123456789abcdef"[v.code&15])), "end")
			})
		})
	}
	t.Run("no id assigned", testNoIDAssigned) // [MQTT-3.2.2-16]
}

func testNoIDAssigned(t *testing.T) {
	conformance(t, func(c *Config) { c.ClientID = "" }, func(t *testing.T, k *tester, next func() *peer) {
		next().accept(t, false, packet.Properties{})
		if e := k.await(t, Disconnected); leaveCode(e.Err) != packet.ProtocolError {
			t.Error(e.Err)
		}
	})
}

// TestConnectRefused checks that a refusal ends the connection on the client's side too, reaches
// the caller with its code, and delays the next attempt if it is permanent.
//
// [MQTT-3.2.2-7] [MQTT-4.13.2-1]
func TestConnectRefused(t *testing.T) {
	for _, v := range []struct {
		name      string
		code      packet.ReasonCode
		permanent bool
	}{
		{"unsupported version", packet.UnsupportedProtocolVersion, true},    // [MQTT-3.1.2-2]
		{"client id", packet.ClientIdentifierNotValid, true},                // [MQTT-3.1.3-8]
		{"bad authentication method", packet.BadAuthenticationMethod, true}, // [MQTT-4.12.0-1]
		{"not authorized", packet.NotAuthorized, true},                      // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
		{"server busy", packet.ServerBusy, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, func(c *Config) { c.Authenticator = echoAuthenticator{} }, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.packet(t)
				p.send(&packet.Connack{Code: v.code})
				e := k.await(t, Disconnected)
				if reasonCode(e.Err) != v.code || IsPermanent(e.Err) != v.permanent || v.permanent && e.Retry < time.Minute {
					t.Errorf("%v, again after %v", e.Err, e.Retry)
				}
				wantList(t, "sent", p.sent(t), "end")
			})
		})
	}
}

// TestConnectedOnce checks that a connection has one CONNECT, whatever happens on it.
//
// [MQTT-3.1.0-2]
func TestConnectedOnce(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "t", QoS: 1})
		p.send(&packet.PublishAck{Type: packet.PUBACK, ID: 1})
		time.Sleep(46 * time.Second)
		p.send(&packet.Ping{Type: packet.PINGRESP})
		p.send(&packet.Disconnect{Code: packet.ServerShuttingDown})
		wantList(t, "sent", p.sent(t), "PUBLISH 1 t", "PINGREQ", "end")
	})
}

// TestCleanStart checks that a clean start forgets what the client remembers of an earlier session:
// an identifier that it had received is a new message.
//
// [MQTT-3.1.2-4]
func TestCleanStart(t *testing.T) {
	store := &memoryStore{facts: SessionFacts{ClientID: "c", Established: true, Received: []uint16{7}}}
	for _, clean := range []bool{false, true} {
		conformance(t, func(c *Config) { c.Session, c.CleanStart = store, clean }, func(t *testing.T, k *tester, next func() *peer) {
			p := next()
			if c := p.accept(t, !clean, packet.Properties{}); c.CleanStart != clean {
				t.Errorf("clean start %v, want %v", c.CleanStart, clean)
			}
			k.await(t, Connected)
			p.send(&packet.Publish{QoS: 2, ID: 7, Topic: "t"})
			wantList(t, "sent", p.sent(t), "PUBREC 7")
			if n := len(k.received); (n == 1) != clean {
				t.Errorf("clean start %v: %d messages", clean, n)
			}
		})
	}
}

// TestProblemInformation checks that the client does not ask brokers to leave out reasons, so that
// they may come anywhere, and hands them on.
//
// [MQTT-3.1.2-29]
func TestProblemInformation(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		if c := p.accept(t, false, packet.Properties{}); c.Properties.Present.Has(packet.PropRequestProblemInformation) {
			t.Errorf("%+v", c.Properties)
		}
		k.await(t, Connected)
		why := puts(func(p *packet.Properties) {
			p.ReasonString, p.UserProperties = "nobody", []UserProperty{{Key: "a", Value: "b"}}
		}, packet.PropReasonString, packet.PropUserProperty)
		result := make(chan PublishResult, 1)
		if err := k.Send(&Message{Topic: "t", QoS: 1}, func(a PublishResult, _ error) { result <- a }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.send(&packet.PublishAck{Type: packet.PUBACK, ID: 1, Code: packet.NoMatchingSubscribers, Properties: why})
		if a := <-result; a.Reason != "nobody" || len(a.UserProperties) != 1 {
			t.Errorf("%+v", a)
		}
	})
}

// TestLimitsOfOneConnection checks that limits of a CONNACK hold for its connection only, and for
// what was queued before.
//
// [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15] [MQTT-4.9.0-1]
func TestLimitsOfOneConnection(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, puts(func(p *packet.Properties) { p.MaximumPacketSize, p.ReceiveMaximum = 20, 1 },
			packet.PropMaximumPacketSize, packet.PropReceiveMaximum, packet.PropMaximumQoS, packet.PropRetainAvailable))
		k.await(t, Connected)
		var o outcomes
		send := func() {
			k.send(t, &o, Message{Topic: "large", Payload: make([]byte, 20)})
			k.send(t, &o, Message{Topic: "retained", Retain: true})
			k.send(t, &o, Message{Topic: "qos", QoS: 1})
			k.send(t, &o, Message{Topic: "fine"})
			synctest.Wait()
		}
		send()
		wantList(t, "limited", p.sent(t), "PUBLISH fine")
		p.nc.Close()
		k.await(t, Disconnected)
		send()
		q := next()
		q.accept(t, true, packet.Properties{})
		wantList(t, "not limited", q.sent(t), "PUBLISH large", "PUBLISH retained", "PUBLISH 1 qos", "PUBLISH fine")
	})
}
