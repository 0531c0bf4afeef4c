package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestResend checks that unacknowledged messages come again with their identifiers, in order, with
// DUP and within the new Receive Maximum, and before newer ones.
//
// [MQTT-3.1.2-23] [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.9.0-1]
func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		var o outcomes
		for _, m := range []Message{{Topic: "a", QoS: 1}, {Topic: "b", QoS: 2}, {Topic: "c", QoS: 1}, {Topic: "d", QoS: 1, Expiry: new(time.Minute)}} {
			k.send(t, &o, m)
		}
		synctest.Wait()
		wantList(t, "first connection", sentTo(b, 1), "a#1", "b#2", "c#3", "d#4")
		time.Sleep(30 * time.Second)
		b.Behave(func(h *mqtttest.Behavior) {
			h.Properties = packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 2}
		})
		b.Cut()
		k.await(t, Disconnected)
		k.send(t, &o, Message{Topic: "e", QoS: 1})
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "second connection", sentTo(b, 2), "a#1+", "b#2+")
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback = false })
		b.Cut()
		k.await(t, Disconnected)
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "third connection", sentTo(b, 3), "a#1+", "b#2+", "c#3+", "d#4+", "e#5")
		p := b.Published()
		if first, last := p[3].Properties.MessageExpiry, p[len(p)-2].Properties.MessageExpiry; first != 60 || last != 60 {
			t.Errorf("expiry %d, then %d: a repetition is the same packet", first, last)
		}
		slices.Sort(o.list)
		wantList(t, "outcomes", o.list, "a: 0x00 success", "b: 0x00 success", "c: 0x00 success", "d: 0x00 success", "e: 0x00 success")
		wantList(t, "violations", b.Violations())
		if s := k.Stats(); s.Queued != 0 || s.InFlight != 0 || s.Acked != 5 || s.Retransmitted != 6 || s.Reconnects != 2 {
			t.Errorf("%+v", s)
		}
		k.close(t, false)
	})
}

// TestSessionLost checks that what was in flight in a session that is gone is sent as new messages,
// in order.
//
// [MQTT-3.2.2-5]
func TestSessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{NoPuback: true})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		k.send(t, &o, Message{Topic: "b", QoS: 2})
		synctest.Wait()
		b.Behave(func(h *mqtttest.Behavior) { h.NoPuback, h.LoseSession = false, true })
		b.Cut()
		k.await(t, Disconnected)
		k.send(t, &o, Message{Topic: "c", QoS: 1})
		k.await(t, SessionLost)
		k.await(t, Connected)
		synctest.Wait()
		wantList(t, "second connection", sentTo(b, 2), "a#3", "b#4", "c#5")
		slices.Sort(o.list)
		wantList(t, "outcomes", o.list, "a: 0x00 success", "b: 0x00 success", "c: 0x00 success")
		if s := k.Stats(); s.Republished != 2 || s.Retransmitted != 0 {
			t.Errorf("%+v", s)
		}
		k.close(t, false)
	})
}

// TestCutAtEveryByte cuts the connection after every number of bytes that the client writes; every
// message arrives nevertheless, in order.
func TestCutAtEveryByte(t *testing.T) {
	for n, total := 1, 1000; n <= total; n++ {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{CloseAfter: n})
			defer b.Close()
			k := start(t, connectTo(b))
			var o outcomes
			for i := range 6 {
				k.send(t, &o, Message{Topic: fmt.Sprint("t", i), QoS: QoS(1 + i%2)})
			}
			synctest.Wait()
			// all that is to be written was written
			if s := k.Stats(); s.Connected && s.Queued == 0 {
				total = int(s.BytesOut)
				b.Cut()
			}
			k.await(t, Disconnected)
			b.Behave(func(h *mqtttest.Behavior) { h.CloseAfter = 0 })
			k.await(t, Connected)
			synctest.Wait()
			if len(o.list) != 6 || slices.ContainsFunc(o.list, func(s string) bool { return !strings.HasSuffix(s, "0x00 success") }) {
				t.Errorf("cut after %d bytes: %q", n, o.list)
			}
			var first []string
			for _, p := range b.Published() {
				if !slices.Contains(first, p.Topic) {
					first = append(first, p.Topic)
				}
			}
			wantList(t, fmt.Sprintf("cut after %d bytes", n), first, "t0", "t1", "t2", "t3", "t4", "t5")
			for _, v := range b.Violations() {
				t.Errorf("cut after %d bytes: %s", n, v)
			}
			k.close(t, false)
		})
	}
}
