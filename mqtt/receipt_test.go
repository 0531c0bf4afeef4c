package mqtt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// manual runs a client whose messages come with k.received and are acknowledged by the test.
func manual(t *testing.T, b *mqtttest.Broker, store SessionStore) *tester {
	cfg := subscribed(b)
	cfg.ManualAck = true
	cfg.Session = store
	k := start(t, cfg)
	k.await(t, Connected)
	return k
}

// TestManualAck acknowledges in another order than that of arrival: the broker gets the
// acknowledgements in that of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3].
func TestManualAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		k := manual(t, b, nil)
		const n = 24
		for i := range n {
			b.Publish(packet.Publish{QoS: byte(i % 3), Topic: fmt.Sprint("t", i)})
		}
		messages := make([]*Message, n)
		for range n { // all of them come without one being acknowledged
			m := k.message(t)
			var i int
			if _, err := fmt.Sscanf(m.Topic, "t%d", &i); err != nil {
				t.Fatal(err)
			}
			messages[i] = m
		}
		var want []string
		for i := range n {
			if i%3 > 0 {
				want = append(want, []string{1: "PUBACK", 2: "PUBREC"}[i%3])
			}
		}
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
			if i == 1 {
				continue
			}
			if err := messages[i].Ack(); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		wantList(t, "before the first was acknowledged", answers(b))
		for range 2 { // the second time does nothing
			if err := messages[1].Ack(); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		got := answers(b)
		wantList(t, "answers", got, want...)
		time.Sleep(10 * time.Minute)
		if s := k.Stats(); s.Connects != 1 || s.Received != n {
			t.Errorf("%+v", s)
		}
		wantList(t, "violations", b.Violations())
		k.close(t, false)
	})
}

// answers lists the PUBACKs and PUBRECs that the broker got.
func answers(b *mqtttest.Broker) (list []string) {
	for _, a := range b.Acks() {
		if a.Type == packet.PUBACK || a.Type == packet.PUBREC {
			list = append(list, a.Type.String())
		}
	}
	return list
}

// TestManualAckWindow checks that no more than the Receive Maximum come before one of them is
// acknowledged.
func TestManualAckWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := subscribed(b)
		cfg.ManualAck, cfg.ReceiveMaximum = true, 32
		k := start(t, cfg)
		k.await(t, Connected)
		for range 100 {
			b.Publish(packet.Publish{QoS: 1, Topic: "t"})
		}
		synctest.Wait()
		if n := len(k.received); n != 32 {
			t.Errorf("%d messages, want 32", n)
		}
		for i := range 100 {
			synctest.Wait()
			if len(k.received) == 0 {
				t.Fatalf("%d messages came", i)
			}
			if err := k.message(t).Ack(); err != nil {
				t.Error(err)
			}
		}
		k.close(t, false)
	})
}

// TestStaleAck acknowledges after the connection was lost: the message comes again.
func TestStaleAck(t *testing.T) {
	for qos := AtLeastOnce; qos <= ExactlyOnce; qos++ {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{})
				defer b.Close()
				k := manual(t, b, nil)
				b.Publish(packet.Publish{QoS: byte(qos), Topic: "t"})
				old := k.message(t)
				b.Cut()
				k.await(t, Disconnected)
				if err := old.Ack(); err != ErrAckTooLate {
					t.Errorf("while offline: %v", err)
				}
				k.await(t, Connected)
				again := k.message(t)
				if !again.Duplicate {
					t.Errorf("%+v", again)
				}
				if err := old.Ack(); err != ErrAckTooLate {
					t.Errorf("on the next connection: %v", err)
				}
				synctest.Wait()
				wantList(t, "answers", answers(b))
				if err := again.Ack(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				wantList(t, "answers", answers(b), []string{1: "PUBACK", 2: "PUBREC"}[qos])
				k.close(t, false)
				if err := again.Ack(); err != nil {
					t.Errorf("after the end, a second time: %v", err)
				}
			})
		})
	}
}

// TestManualAckExactlyOnce accepts a QoS 2 message out of order and loses the connection before its
// PUBREC may be sent: it does not come again, also not to a later process. A store that fails lets
// it come again.
func TestManualAckExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		store := &savedFacts{b: b}
		k := manual(t, b, store)
		b.Publish(packet.Publish{QoS: 1, Topic: "first"})
		b.Publish(packet.Publish{QoS: 2, Topic: "second"})
		k.message(t)
		second := k.message(t)
		broken := errors.New("disk full")
		store.setFail(broken)
		if err := second.Ack(); !errors.Is(err, broken) {
			t.Error(err)
		}
		if e := k.await(t, Disconnected); !errors.Is(e.Err, broken) {
			t.Error(e.Err)
		}
		store.setFail(nil)
		k.await(t, Connected)
		synctest.Wait()
		if m := k.message(t); m.Topic != "first" {
			t.Errorf("%+v", m)
		}
		// The acceptance counts in this process although it could not be saved; it is saved now.
		if len(k.received) != 0 {
			t.Errorf("%+v", k.message(t))
		}
		if got := store.received(); len(got) != 1 {
			t.Errorf("stored %v", got)
		}
		k.close(t, true)
		k = manual(t, b, store)
		if m := k.message(t); m.Topic != "first" {
			t.Errorf("%+v", m)
		} else if err := m.Ack(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(k.received) != 0 || len(store.received()) != 0 {
			t.Errorf("%d messages, stored %v", len(k.received), store.received())
		}
		k.close(t, false)
	})
}

// TestAckWithoutManualAck checks that Ack does not bypass the handler.
func TestAckWithoutManualAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := subscribed(b)
		release := make(chan struct{})
		cfg.Handler = func(_ context.Context, m *Message) error {
			err := m.Ack()
			<-release
			return err
		}
		k := start(t, cfg)
		k.await(t, Connected)
		b.Publish(packet.Publish{QoS: 1, Topic: "t"})
		synctest.Wait()
		wantList(t, "answers", answers(b))
		close(release)
		synctest.Wait()
		wantList(t, "answers", answers(b), "PUBACK")
		k.close(t, false)
	})
}
