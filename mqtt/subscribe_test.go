package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func TestSubscribeAndUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{DialError: errors.New("down")})
		defer b.Close()
		k := start(t, connectTo(b))
		result := make(chan error, 1)
		go func() { // waits for a connection
			a, err := k.Subscribe(context.Background(), Subscription{Filter: "a/+", QoS: 1}, Subscription{Filter: "b"})
			if err == nil && !slices.Equal(a.Codes, []ReasonCode{1, 0}) {
				err = fmt.Errorf("codes %v", a.Codes)
			}
			result <- err
		}()
		time.Sleep(time.Minute)
		b.Behave(func(h *mqtttest.Behavior) { h.DialError = nil })
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		b.Publish(packet.Publish{Topic: "a/1", QoS: 2})
		if m := k.message(t); m.Topic != "a/1" || m.QoS != 1 {
			t.Errorf("%+v", m)
		}
		if _, err := k.Unsubscribe(context.Background(), []string{"a/+"}); err != nil {
			t.Error(err)
		}
		b.Publish(packet.Publish{Topic: "a/1", QoS: 2})
		b.Publish(packet.Publish{Topic: "b"})
		if m := k.message(t); m.Topic != "b" {
			t.Errorf("%+v", m)
		}

		b.Behave(func(h *mqtttest.Behavior) { h.NoSuback = true })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := k.Subscribe(ctx, Subscription{Filter: "c"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		k.await(t, Connected)
		go func() {
			_, err := k.Subscribe(context.Background(), Subscription{Filter: "c"})
			result <- err
		}()
		k.await(t, Disconnected) // the watchdog
		b.Behave(func(h *mqtttest.Behavior) { h.NoSuback = false })
		if err := <-result; err != nil {
			t.Error(err)
		}
		k.close(t, false)
		if _, err := k.Subscribe(context.Background(), Subscription{Filter: "c"}); err != ErrClosed {
			t.Error(err)
		}
	})
}
