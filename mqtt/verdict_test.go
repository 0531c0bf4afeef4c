package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// scripted runs a client against a broker with the given behavior, in a bubble.
func scripted(t *testing.T, do mqtttest.Behavior, use func(*Config), test func(t *testing.T, b *mqtttest.Broker, k *tester)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(do)
		defer b.Close()
		cfg := connectTo(b)
		if use != nil {
			use(&cfg)
		}
		test(t, b, start(t, cfg))
	})
}

// TestUnknownCodeIsRefusal answers messages and filters with every code from 0x80 on: each is a
// refusal, and the connection stays.
func TestUnknownCodeIsRefusal(t *testing.T) {
	for code := 0x80; code <= 0xFF; code++ {
		do := mqtttest.Behavior{AckCode: packet.ReasonCode(code), SubackCode: map[string]packet.ReasonCode{"f": packet.ReasonCode(code)}}
		scripted(t, do, func(c *Config) { c.Subscriptions = []Subscription{{Filter: "f", QoS: 1}} }, func(t *testing.T, _ *mqtttest.Broker, k *tester) {
			if g := k.await(t, Connected).Negotiated.Granted; len(g) != 1 || int(g[0]) != code {
				t.Errorf("%v", g)
			}
			for qos := AtLeastOnce; qos <= ExactlyOnce; qos++ {
				_, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: qos})
				if re, ok := errors.AsType[*ReasonError](err); !ok || int(re.Code) != code {
					t.Errorf("0x%02X: %v", code, err)
				}
			}
			if s := k.Stats(); s.Connects != 1 {
				t.Errorf("0x%02X: %+v", code, s)
			}
		})
	}
}

// TestVerdictOnMessage ends the connection at a topic, or at a size, with and without a code: that
// message is ErrRejectedByDisconnect, all others arrive, and nobody else's is blamed.
func TestVerdictOnMessage(t *testing.T) {
	for _, v := range []struct {
		name string
		do   mqtttest.Behavior
	}{
		{"topic, no code", mqtttest.Behavior{CloseAt: "bad"}},
		{"topic, 0x87", mqtttest.Behavior{CloseAt: "bad", CloseCode: 0x87}},
		{"topic, 0x80", mqtttest.Behavior{CloseAt: "bad", CloseCode: 0x80}},
		{"size, no code", mqtttest.Behavior{LargeCloseAt: 65536}},
		{"size, 0x95", mqtttest.Behavior{LargeCloseAt: 65536, CloseCode: 0x95}},
	} {
		for _, behind := range []int{0, 1, 40} {
			t.Run(fmt.Sprint(v.name, ", behind ", behind), func(t *testing.T) {
				scripted(t, v.do, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
					k.await(t, Connected)
					good, poisoned := 0, 0
					send := func(topic string, size int) {
						if err := k.Send(&Message{Topic: topic, QoS: 1, Payload: make([]byte, size)}, func(_ PublishResult, err error) {
							switch {
							case topic == "bad" && errors.Is(err, ErrRejectedByDisconnect):
								if re, ok := errors.AsType[*ReasonError](err); ok != (v.do.CloseCode != 0) || ok && re.Code != v.do.CloseCode {
									t.Error(err)
								}
								poisoned++
							case topic == "good" && err == nil:
								good++
							default:
								t.Errorf("%s: %v", topic, err)
							}
						}); err != nil {
							t.Fatal(err)
						}
					}
					for range behind {
						send("good", 10)
					}
					send("bad", 70_000)
					for range 20 {
						send("good", 10)
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					if good != behind+20 || poisoned != 1 {
						t.Errorf("%d good, %d poisoned", good, poisoned)
					}
					if n := len(b.Connects()); n > 6 {
						t.Errorf("%d connections", n)
					}
				})
			})
		}
	}
}

// TestRefusalThenClose has a broker that closes behind each refusal: such ends do not add up to
// long pauses.
func TestRefusalThenClose(t *testing.T) {
	scripted(t, mqtttest.Behavior{RefuseAt: "bad"}, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		k.await(t, Connected)
		for i := range 12 {
			k.publish(t, &Message{Topic: "good", QoS: 1})
			_, err := k.Publish(t.Context(), &Message{Topic: "bad", QoS: 1})
			if re, ok := errors.AsType[*ReasonError](err); !ok || re.Code != packet.NotAuthorized {
				t.Error(err)
			}
			if e := k.await(t, Disconnected); e.Retry > time.Second {
				t.Errorf("refusal %d: away for %v", i, e.Retry)
			}
			k.await(t, Connected)
		}
	})
}

// TestBadLinkBlamesNobody cuts the connection at random moments: every message arrives and the
// session is kept.
func TestBadLinkBlamesNobody(t *testing.T) {
	scripted(t, mqtttest.Behavior{}, func(c *Config) { c.Backoff = Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond} },
		func(t *testing.T, b *mqtttest.Broker, k *tester) {
			arrived := 0
			for i := range 2000 {
				if err := k.Send(&Message{Topic: "t", QoS: QoS(1 + i%2)}, func(_ PublishResult, err error) {
					if err != nil {
						t.Error(err)
					}
					arrived++
				}); err != nil {
					t.Fatal(err)
				}
				if i%20 == 0 {
					b.Cut()
					time.Sleep(time.Duration(i%7) * time.Millisecond)
				}
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if arrived != 2000 || k.Stats().Republished != 0 {
				t.Errorf("%d, %+v", arrived, k.Stats())
			}
		})
}

// TestVerdictOnFilter ends the connection at a filter: that one is left out and reported, the
// others are made.
func TestVerdictOnFilter(t *testing.T) {
	for _, code := range []packet.ReasonCode{0, 0x87, 0x80} {
		do := mqtttest.Behavior{FilterCloseAt: "bad/#", CloseCode: code}
		use := func(c *Config) {
			c.Subscriptions = []Subscription{{Filter: "a", QoS: 1}, {Filter: "bad/#", QoS: 1}, {Filter: "c", QoS: 1}}
		}
		scripted(t, do, use, func(t *testing.T, b *mqtttest.Broker, k *tester) {
			var o outcomes
			k.send(t, &o, Message{Topic: "t", QoS: 1})
			e := k.await(t, Connected)
			want := code
			if want == 0 {
				want = 0x80
			}
			if got := fmt.Sprint(e.Negotiated.Granted); got != fmt.Sprint([]packet.ReasonCode{1, want, 1}) {
				t.Errorf("%v: %s", code, got)
			}
			synctest.Wait()
			wantList(t, "outcomes", o.list, "t: 0x00 success")
		})
	}
}

// TestWildcardAlternatives asks for single filters if wildcards are not available.
func TestWildcardAlternatives(t *testing.T) {
	do := mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropWildcardSubscriptionAvailable)}, SubackCode: map[string]packet.ReasonCode{"cmd/b": 0}}
	use := func(c *Config) {
		c.Subscriptions = []Subscription{{Filter: "cmd/#", QoS: 1, Alternatives: []string{"cmd/a", "cmd/b"}}, {Filter: "x/#", QoS: 1}}
	}
	scripted(t, do, use, func(t *testing.T, _ *mqtttest.Broker, k *tester) {
		if g := fmt.Sprint(k.await(t, Connected).Negotiated.Granted); g != fmt.Sprint([]packet.ReasonCode{0, 0xA2}) {
			t.Error(g)
		}
	})
}

// TestWillRefused has brokers that take less of a will, or none: the client connects with what they
// take, and says so.
func TestWillRefused(t *testing.T) {
	refuse := func(code packet.ReasonCode, bad func(w *packet.Will) bool) func(w *packet.Will) packet.ReasonCode {
		return func(w *packet.Will) packet.ReasonCode {
			if bad(w) {
				return code
			}
			return 0
		}
	}
	retain := func(w *packet.Will) bool { return w.Retain }
	qos := func(w *packet.Will) bool { return w.QoS > 0 }
	any := func(w *packet.Will) bool { return true }
	for _, v := range []struct {
		code packet.ReasonCode
		bad  func(*packet.Will) bool
		want string
	}{
		{0x9A, retain, "QoS 1"}, {0x9B, qos, "retained QoS 0"}, {0x87, retain, "QoS 1"}, {0x90, any, "none"}, {0x87, qos, "QoS 0"},
	} {
		use := func(c *Config) {
			c.Will = func() *Will { return &Will{Message: Message{Topic: "w", QoS: 1, Retain: true}} }
		}
		scripted(t, mqtttest.Behavior{RefuseWill: refuse(v.code, v.bad)}, use, func(t *testing.T, _ *mqtttest.Broker, k *tester) {
			begin := time.Now()
			w := k.await(t, Connected).Negotiated.Will
			got := "none"
			if w != nil {
				got = fmt.Sprintf("QoS %d", w.QoS)
				if w.Retain {
					got = "retained " + got
				}
			}
			if got != v.want || time.Since(begin) > 10*time.Second {
				t.Errorf("%v: %s after %v, want %s", v.code, got, time.Since(begin), v.want)
			}
		})
	}
}

// TestSessionCannotBeResumed has brokers that end each resumed connection: a new session is started
// within 15 s and nothing is lost.
func TestSessionCannotBeResumed(t *testing.T) {
	for _, v := range []func(*mqtttest.Behavior){
		func(do *mqtttest.Behavior) { do.NoResume = true },
		func(do *mqtttest.Behavior) { do.EarlyPublish = true },
	} {
		scripted(t, mqtttest.Behavior{}, func(c *Config) { c.Subscriptions = []Subscription{{Filter: "f", QoS: 1}} }, func(t *testing.T, b *mqtttest.Broker, k *tester) {
			k.await(t, Connected)
			var o outcomes
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback = true })
			k.send(t, &o, Message{Topic: "t", QoS: 1})
			synctest.Wait()
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback = false; v(do) })
			b.Cut()
			time.Sleep(15 * time.Second)
			synctest.Wait()
			wantList(t, "outcomes", o.list, "t: 0x00 success")
			if !k.Stats().Connected {
				t.Error("not connected")
			}
		})
	}
}

// TestNothingAcknowledged has a broker that takes a resumed session, answers pings and acknowledges
// nothing: a new session is started after three such connections of AckTimeout each, which is
// reported, and nothing is lost. A broker that acknowledges something is left alone.
func TestNothingAcknowledged(t *testing.T) {
	for _, qos := range []QoS{1, 2} {
		scripted(t, mqtttest.Behavior{}, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
			k.await(t, Connected)
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback = true })
			var o outcomes
			k.send(t, &o, Message{Topic: "t", QoS: qos})
			synctest.Wait()
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback, do.StuckSession = false, true })
			b.Cut()
			begin := time.Now()
			k.await(t, SessionLost)
			if d := time.Since(begin); d < 3*time.Minute || d > 3*time.Minute+15*time.Second {
				t.Errorf("begun anew after %v", d)
			}
			k.await(t, Connected)
			synctest.Wait()
			wantList(t, "outcomes", o.list, "t: 0x00 success")
			if connects := b.Connects(); len(connects) != 5 || !connects[4].CleanStart {
				t.Errorf("%d connections", len(connects))
			}
		})
	}
	scripted(t, mqtttest.Behavior{}, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		k.await(t, Connected)
		for range 6 { // each connection acknowledges one message and then no more
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback = false })
			b.Cut()
			k.await(t, Connected)
			time.Sleep(time.Millisecond)
			k.publish(t, &Message{Topic: "first", QoS: 1})
			b.Behave(func(do *mqtttest.Behavior) { do.NoPuback = true })
			if err := k.Send(&Message{Topic: "t", QoS: 1}, nil); err != nil {
				t.Fatal(err)
			}
			k.await(t, Disconnected)
		}
		for _, p := range b.Connects()[1:] {
			if p.CleanStart {
				t.Error("a session that works is begun anew")
			}
		}
	})
}

// TestAliasVerdict has a broker that announces more aliases than it bears: the client does without
// for good.
func TestAliasVerdict(t *testing.T) {
	for _, code := range []packet.ReasonCode{0x94, 0x82} {
		do := mqtttest.Behavior{AliasCloseAt: 10, CloseCode: code, Properties: packet.Properties{Present: packet.Props(packet.PropTopicAliasMaximum), TopicAliasMaximum: 10}}
		scripted(t, do, func(c *Config) { c.OutboundTopicAliases = 32 }, func(t *testing.T, b *mqtttest.Broker, k *tester) {
			k.await(t, Connected)
			arrived := 0
			for i := range 800 {
				if err := k.Send(&Message{Topic: fmt.Sprint("a/longer/topic/", i%20), QoS: 1}, func(_ PublishResult, err error) {
					if err != nil {
						t.Error(err)
					}
					arrived++
				}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if arrived != 800 || len(b.Connects()) != 2 {
				t.Errorf("%v: %d arrived over %d connections", code, arrived, len(b.Connects()))
			}
		})
	}
}

// brokenWriter fails to write once broken, as a connection does that the peer has closed; what the
// peer sent before can still be read.
type brokenWriter struct {
	net.Conn
	broken *atomic.Bool
}

func (c brokenWriter) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// TestLastWordAfterFailedWrite: a broker that sends DISCONNECT and closes makes the next write
// fail. Its reason is the cause all the same, also if it is read after that.
func TestLastWordAfterFailedWrite(t *testing.T) {
	var broken atomic.Bool
	scripted(t, mqtttest.Behavior{}, func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context, u *url.URL, tls *tls.Config) (net.Conn, error) {
			nc, err := dial(ctx, u, tls)
			return brokenWriter{nc, &broken}, err
		}
	}, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		k.await(t, Connected)
		broken.Store(true)
		if err := k.Send(&Message{Topic: "t", QoS: 1}, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.Disconnect(packet.PacketTooLarge)
		broken.Store(false)
		if re, ok := errors.AsType[*ReasonError](k.await(t, Disconnected).Err); !ok || re.Code != packet.PacketTooLarge {
			t.Errorf("want the broker's reason, got %v", re)
		}
		k.await(t, Connected)
	})
}

// TestWrongProtocolAtPort says what is at the port, and waits long before it tries again if that
// cannot work.
func TestWrongProtocolAtPort(t *testing.T) {
	for _, v := range []struct {
		do        mqtttest.Behavior
		cause     string
		permanent bool
	}{
		{mqtttest.Behavior{Greeting: "\x15\x03\x01\x00\x02\x02\x46"}, "speaks TLS", true},
		{mqtttest.Behavior{Greeting: "HTTP/1.1 400 Bad Request\r\n\r\n"}, "speaks HTTP", true},
		{mqtttest.Behavior{Greeting: "SSH-2.0-OpenSSH_9.2\r\n"}, "speaks SSH", true},
		{mqtttest.Behavior{Greeting: "220 mail ESMTP\r\n"}, "speaks SMTP", true},
		{mqtttest.Behavior{Greeting: "Welcome\r\n"}, "speaks a text protocol", true},
		{mqtttest.Behavior{MQTT311: true}, "does not support MQTT 5.0", true},
		{mqtttest.Behavior{Refuse: 0x84}, "does not support MQTT 5.0", true},
		{mqtttest.Behavior{Refuse: 0x9B}, "QoS not supported", true},
		{mqtttest.Behavior{Mute: true}, "stays silent", false},
	} {
		scripted(t, v.do, nil, func(t *testing.T, _ *mqtttest.Broker, k *tester) {
			e := k.await(t, Disconnected)
			d := Diagnose(e.Err)
			if !strings.Contains(d.Cause, v.cause) || d.Remedy == "" || d.Permanent != v.permanent {
				t.Errorf("%v: %+v", e.Err, d)
			}
			if v.permanent && e.Retry < time.Minute {
				t.Errorf("%v: tried again after %v", e.Err, e.Retry)
			}
		})
	}
	if d := Diagnose(&net.DNSError{Name: "x", Err: "no such host"}); d.Cause == "" || d.Remedy == "" {
		t.Errorf("%+v", d)
	}
}

// TestBurstIsBoundedByBytes sends more to a slow handler than may wait: all of it arrives, and no
// more than the bound is read ahead.
func TestBurstIsBoundedByBytes(t *testing.T) {
	slow := func(c *Config) {
		c.MaximumPacketSize = 64 << 10
		c.Subscriptions = []Subscription{{Filter: "f", QoS: 1}}
		c.Handler = func(context.Context, *Message) error { time.Sleep(time.Second); return nil }
	}
	scripted(t, mqtttest.Behavior{}, slow, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		k.await(t, Connected)
		for range 100 {
			b.Publish(packet.Publish{Topic: "f", QoS: 1, Payload: make([]byte, 32<<10)})
		}
		synctest.Wait()
		k.mu.Lock()
		held, limit := k.conn.heldBytes, (heldPackets+1)*int(k.cfg.MaximumPacketSize)
		k.mu.Unlock()
		if held > limit {
			t.Errorf("%d bytes wait, at most %d", held, limit)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(k.received); n != 100 || k.Stats().Connects != 1 {
			t.Errorf("%d arrived, %+v", n, k.Stats())
		}
	})
}
