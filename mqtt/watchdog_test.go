package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestKeepAlive checks that a silent connection is pinged in time.
//
// [MQTT-3.1.2-20]
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		before := k.Stats().BytesOut
		time.Sleep(450*time.Second + time.Millisecond)
		if got := (k.Stats().BytesOut - before) / 2; got != 10 {
			t.Errorf("%d pings in 450s, want one each 45s", got)
		}
		if !k.Stats().Connected {
			t.Error("not connected")
		}
		k.close(t, false)
	})
}

// TestServerKeepAlive checks that the broker's Keep Alive is the one that counts.
//
// [MQTT-3.1.2-21] [MQTT-3.2.2-21]
func TestServerKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropServerKeepAlive), ServerKeepAlive: 8}})
		defer b.Close()
		k := start(t, connectTo(b))
		if got := k.await(t, Connected).Negotiated.KeepAlive; got != 8*time.Second {
			t.Errorf("keep alive %v", got)
		}
		before := k.Stats().BytesOut
		time.Sleep(61 * time.Second)
		if got := (k.Stats().BytesOut - before) / 2; got != 10 {
			t.Errorf("%d pings in 61s, want one each 6s", got)
		}
		k.close(t, false)
	})
}

// TestDeadPeer checks that a broker that no longer answers is found, also while messages are
// written to it all the time.
//
// [MQTT-3.12.4-1]
func TestDeadPeer(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy=%v", busy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{NoPingresp: true})
				defer b.Close()
				k := start(t, connectTo(b))
				k.await(t, Connected)
				begin := time.Now()
				for busy && len(k.events) == 0 && time.Since(begin) < 5*time.Minute {
					_ = k.Send(&Message{Topic: "t"}, nil)
					time.Sleep(time.Second)
				}
				e := k.await(t, Disconnected)
				if d := time.Since(begin); d < 60*time.Second || d > 67*time.Second {
					t.Errorf("found after %v, want 65s", d)
				}
				if e.Err == nil || !strings.Contains(e.Err.Error(), "ping") {
					t.Error(e.Err)
				}
				b.Behave(func(b *mqtttest.Behavior) { b.NoPingresp = false })
				k.await(t, Connected)
				k.close(t, false)
			})
		})
	}
}

// TestBlockedWrite checks that a broker that reads nothing does not hold up the client forever.
func TestBlockedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{Deaf: true})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		begin := time.Now()
		_ = k.Send(&Message{Topic: "t", Payload: make([]byte, 1000)}, nil)
		k.await(t, Disconnected)
		if d := time.Since(begin); d != writeTimeout {
			t.Errorf("found after %v, want %v", d, writeTimeout)
		}
		k.close(t, false)
	})
}

func TestAckWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		var o outcomes
		time.Sleep(10 * time.Second)
		begin := time.Now()
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		k.await(t, Disconnected)
		if d := time.Since(begin); d != 60*time.Second {
			t.Errorf("reconnected after %v, want 60s", d)
		}
		b.Behave(func(b *mqtttest.Behavior) { b.NoPuback = false })
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "outcomes", o.list, "a: 0x00 success")
		wantList(t, "second connection", sentTo(b, 2), "a#1+")
		k.close(t, false)
	})
}

// TestDiscardedMessage checks that a message which the broker has discarded, as AWS IoT Core does
// beyond its limits, is sent again although later ones are acknowledged all the time.
//
// [MQTT-4.4.0-1] [MQTT-4.6.0-2]
func TestDiscardedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{MaxMessages: 1})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		k.send(t, &o, Message{Topic: "discarded", QoS: 1})
		time.Sleep(2 * time.Second)
		begin := time.Now()
		for len(k.events) == 0 && time.Since(begin) < 5*time.Minute {
			k.send(t, &o, Message{Topic: "b", QoS: 1})
			time.Sleep(2 * time.Second)
		}
		if e := k.await(t, Disconnected); e.Err == nil || !strings.Contains(e.Err.Error(), "the broker has discarded it") {
			t.Error(e.Err)
		}
		if d := time.Since(begin); d < 60*time.Second || d > 62*time.Second {
			t.Errorf("reconnected after %v, want 60s", d)
		}
		k.await(t, Connected)
		time.Sleep(2 * time.Second)
		if sent := sentTo(b, 2); len(sent) == 0 || sent[0] != "discarded#2+" {
			t.Errorf("second connection: %q", sent)
		}
		k.close(t, false)
	})
}
