package mqtt

import (
	"errors"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

// TestSearchForASizeIsQuick has a user halve a message until the broker takes it, as the uplink
// does: the pauses between the connections do not grow.
func TestSearchForASizeIsQuick(t *testing.T) {
	scripted(t, mqtttest.Behavior{LargeCloseAt: 1000}, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		began := time.Now()
		size := 256 << 10
		for {
			k.publish(t, &Message{Topic: "one reading", QoS: 1})
			_, err := k.Publish(t.Context(), &Message{Topic: "batch", QoS: 1, Payload: make([]byte, size)})
			if err == nil {
				break
			}
			if !errors.Is(err, ErrRejectedByDisconnect) {
				t.Fatal(err)
			}
			size /= 2
		}
		if took := time.Since(began); size != 512 || took > time.Minute {
			t.Errorf("%d bytes after %v and %d connections", size, took, len(b.Connects()))
		}
	})
}

// TestClosingAtEachMessageIsNotHurried: what the broker never takes is no search.
func TestClosingAtEachMessageIsNotHurried(t *testing.T) {
	scripted(t, mqtttest.Behavior{CloseAt: "#"}, nil, func(t *testing.T, b *mqtttest.Broker, k *tester) {
		go func() {
			for {
				if _, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: 1}); !errors.Is(err, ErrRejectedByDisconnect) {
					return
				}
			}
		}()
		time.Sleep(time.Hour)
		if n := len(b.Connects()); n > 120 {
			t.Errorf("%d connections in an hour", n)
		}
	})
}
