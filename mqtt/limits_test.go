package mqtt

import (
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

// TestTinyPackets checks that nothing larger is sent than the broker takes, automatic answers,
// pings and DISCONNECTs included [MQTT-3.2.2-15].
func TestTinyPackets(t *testing.T) {
	for size := uint32(1); size <= 6; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{Properties: packet.Properties{
					Present: packet.Props(packet.PropMaximumPacketSize, packet.PropServerKeepAlive), MaximumPacketSize: size, ServerKeepAlive: 10,
				}})
				defer b.Close()
				k := start(t, connectTo(b))
				if size < minPacketSize {
					if e := k.await(t, Disconnected); e.Err == nil || !strings.Contains(e.Err.Error(), "acknowledgement") {
						t.Error(e.Err)
					}
					k.close(t, false)
					wantList(t, "violations", b.Violations())
					if len(b.Disconnects()) != 0 && size < 3 {
						t.Errorf("%+v", b.Disconnects())
					}
					return
				}
				k.await(t, Connected)
				for id := uint16(1); id <= 3; id++ {
					p := packet.Publish{QoS: 1, ID: id, Topic: "t"}
					b.Send(p.Append(nil))
				}
				// unknown PUBREC and PUBREL ask for 0x92
				b.Send([]byte{0x50, 2, 0, 9, 0x62, 2, 0, 9})
				time.Sleep(time.Minute)
				if err := k.Send(&Message{Topic: "t"}, nil); err != nil {
					t.Error(err)
				}
				k.close(t, true)
				synctest.Wait()
				wantList(t, "violations", b.Violations())
				code := packet.PacketIdentifierNotFound
				if size == minPacketSize {
					code = packet.Success
				}
				var got []string
				for _, a := range b.Acks() {
					got = append(got, fmt.Sprintf("%v %d %v", a.Type, a.ID, a.Code))
				}
				slices.Sort(got)
				wantList(t, "answers", got, "PUBACK 1 0x00 success", "PUBACK 2 0x00 success", "PUBACK 3 0x00 success",
					fmt.Sprintf("PUBCOMP 9 %v", code), fmt.Sprintf("PUBREL 9 %v", code))
				if f := b.Disconnects(); len(f) != 1 || f[0].Code != packet.DisconnectWithWill {
					t.Errorf("%+v", f)
				}
			})
		})
	}
}

// TestExpiryOffline checks that messages are settled when they expire, whether or not there is a
// connection.
func TestExpiryOffline(t *testing.T) {
	for _, v := range []struct {
		name  string
		setup func(*mqtttest.Behavior)
	}{
		{"offline", func(h *mqtttest.Behavior) { h.DialError = errors.New("down") }},
		{"full window", func(h *mqtttest.Behavior) { h.NoPuback = true }},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				behavior := mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 1}}
				v.setup(&behavior)
				b := mqtttest.New(behavior)
				defer b.Close()
				k := start(t, connectTo(b))
				var o outcomes
				k.send(t, &o, Message{Topic: "first", QoS: 1})
				synctest.Wait()
				begin := time.Now()
				var got []string
				for _, s := range []int{20, 10, 40, 0, 30} {
					topic := fmt.Sprint(s)
					lifetime := new(time.Duration(s) * time.Second)
					if s == 0 {
						lifetime = nil
					}
					if err := k.Send(&Message{Topic: topic, QoS: 1, Expiry: lifetime}, func(_ PublishResult, err error) {
						if want := map[bool]error{true: ErrClosed, false: ErrExpired}[s == 0]; !errors.Is(err, want) || errors.Is(err, ErrUncertain) {
							t.Errorf("%s: %v", topic, err)
						}
						got = append(got, fmt.Sprintf("%s after %v", topic, time.Since(begin)))
					}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(50 * time.Second)
				synctest.Wait()
				wantList(t, "expired", got, "10 after 10s", "20 after 20s", "30 after 30s", "40 after 40s")
				if s := k.Stats(); s.Queued != 2 {
					t.Errorf("%+v", s)
				}
				got = nil
				for i := range 5 { // many at nearly the same time: a look at the queue for several
					k.send(t, &o, Message{Topic: fmt.Sprint("e", i), QoS: 1, Expiry: new(time.Duration(1000+i) * time.Millisecond)})
				}
				time.Sleep(1200 * time.Millisecond)
				synctest.Wait()
				if len(o.list) != 5 {
					t.Errorf("%q", o.list)
				}
				k.close(t, true)
			})
		})
	}
}

// TestExpiryAfterSessionLost checks that a message that was sent in a lost session may expire, but
// is not said to be unsent.
func TestExpiryAfterSessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true, Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 2}})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		result := make(chan error, 1)
		var o outcomes
		k.send(t, &o, Message{Topic: "first", QoS: 1})
		if err := k.Send(&Message{Topic: "second", QoS: 1, Expiry: new(30 * time.Second)}, func(_ PublishResult, err error) { result <- err }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		if len(result) != 0 {
			t.Errorf("expired in flight: %v", <-result) // [MQTT-4.3.3-7]
		}
		b.Behave(func(h *mqtttest.Behavior) { h.LoseSession, h.Properties.ReceiveMaximum = true, 1 })
		b.Cut()
		if err := <-result; !errors.Is(err, ErrExpired) || !errors.Is(err, ErrUncertain) {
			t.Error(err)
		}
		k.close(t, true)
	})
}

// TestPingAnsweredByOtherBytes checks that bytes put off the end of a connection whose pings are
// not answered, but not forever.
func TestPingAnsweredByOtherBytes(t *testing.T) {
	for _, v := range []struct {
		name       string
		ackTimeout time.Duration
		want       time.Duration // from the ping
	}{
		{"bounded", 0, time.Minute},
		{"short acknowledgement timeout", time.Second, pingTimeout},
		{"no acknowledgement timeout", -1, time.Hour},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{NoPingresp: true})
				defer b.Close()
				cfg := connectTo(b)
				cfg.AckTimeout = v.ackTimeout
				k := start(t, cfg)
				k.await(t, Connected)
				begin := time.Now()
				p := packet.Publish{Topic: "t"}
				for len(k.events) == 0 && time.Since(begin) < time.Hour {
					b.Send(p.Append(nil))
					time.Sleep(time.Second)
				}
				if d := time.Since(begin) - 45*time.Second; d < min(v.want, time.Hour-45*time.Second) || d > v.want+2*time.Second {
					t.Errorf("ended %v after the ping, want %v", d, v.want)
				}
				k.close(t, false)
			})
		})
	}
}

// TestConnectProperties checks the user properties of a CONNECT, and configurations that are
// impossible.
func TestConnectProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.UserProperties = []UserProperty{{Key: "site", Value: "7"}, {Key: "site", Value: "8"}}
		k := start(t, cfg)
		k.await(t, Connected)
		if got := b.Connects()[0].Properties.UserProperties; !slices.Equal(got, cfg.UserProperties) {
			t.Errorf("%+v", got)
		}
		k.close(t, false)
	})
	for _, cfg := range []Config{
		{UserProperties: []UserProperty{{Key: "\xff"}}}, {ResponseTopic: "a/#"}, {ManualAck: true}, {Subscriptions: []Subscription{{Filter: "a", ID: 1 << 28}}},
	} {
		cfg.URLs = []string{"mqtt://b"}
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
