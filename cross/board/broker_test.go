package board

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A broker is an MQTT broker on this machine, and what a gateway has sent it.
type broker struct {
	t    *testing.T
	port int

	mu       sync.Mutex
	readings map[string][]reading // by sensor
	status   string               // the gateway's state
	grown    chan struct{}        // has a token when there is something new
}

// A reading is one that came in telemetry.
type reading struct {
	at     time.Time // when it came
	Seq    uint64
	Fields map[string]any
	Bad    map[string]string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	b := &broker{t: t, port: listener.Addr().(*net.TCPAddr).Port, readings: map[string][]reading{}, grown: make(chan struct{}, 1)}
	if err := server.AddHook(new(everybody), nil); err != nil {
		t.Fatal(err)
	}
	if err := server.AddListener(listeners.NewNet("board", listener)); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	if err := server.Subscribe("fieldgate/+/#", 1, func(_ *mochi.Client, _ packets.Subscription, p packets.Packet) { b.take(p.TopicName, p.Payload) }); err != nil {
		t.Fatal(err)
	}
	return b
}

// everybody lets everybody do everything.
type everybody struct{ mochi.HookBase }

func (*everybody) Provides(hook byte) bool {
	return hook == mochi.OnConnectAuthenticate || hook == mochi.OnACLCheck
}
func (*everybody) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*everybody) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// take takes in a message.
func (b *broker) take(topic string, payload []byte) {
	var document struct {
		Sensor   string
		State    any // a text in status alone
		Readings []reading
	}
	if err := json.Unmarshal(payload, &document); err != nil && len(payload) > 0 {
		b.t.Errorf("%s: %v in %s", topic, err, payload)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch strings.Split(topic, "/")[2] {
	case "status":
		b.status, _ = document.State.(string)
	case "telemetry":
		for _, r := range document.Readings {
			r.at = time.Now()
			b.readings[document.Sensor] = append(b.readings[document.Sensor], r)
		}
	}
	select {
	case b.grown <- struct{}{}:
	default:
	}
}

// of returns the readings of a sensor that came after a moment, and the gateway's state.
func (b *broker) of(sensor string, after time.Time) ([]reading, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.readings[sensor]
	for i, r := range all {
		if r.at.After(after) {
			return all[i:len(all):len(all)], b.status
		}
	}
	return nil, b.status
}

// until waits until something is so. The test fails if that takes too long.
func (b *broker) until(within time.Duration, what string, so func() bool) {
	b.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for !so() {
		select {
		case <-b.grown:
		case <-timer.C:
			b.t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// value waits for a reading after a moment in which a field is a number, and returns how long after
// the moment it came. What comes before it must be other, so this is for values that were changed
// at that moment.
func (b *broker) value(within time.Duration, after time.Time, sensor, field string, want, tolerance float64) time.Duration {
	b.t.Helper()
	var found reading
	last := "nothing came"
	defer func() {
		if found.at.IsZero() {
			b.t.Errorf("%s: last %s", sensor, last)
		}
	}()
	b.until(within, fmt.Sprintf("%s: %s = %v", sensor, field, want), func() bool {
		readings, _ := b.of(sensor, after)
		for _, r := range readings {
			last = fmt.Sprintf("%v %v", r.Fields, r.Bad)
			if v, ok := r.Fields[field].(float64); ok && v >= want-tolerance && v <= want+tolerance {
				found = r
				return true
			}
		}
		return false
	})
	return round(found.at.Sub(after))
}

// compare waits for a reading of each of two sensors and returns a field of both, which must be the
// same but for a part of it.
func (b *broker) compare(one, other, field string, part float64) string {
	b.t.Helper()
	newest := func(sensor string) float64 {
		var v float64
		b.until(time.Minute, sensor, func() bool {
			readings, _ := b.of(sensor, time.Time{})
			ok := len(readings) > 0
			if ok {
				v, ok = readings[len(readings)-1].Fields[field].(float64)
			}
			return ok
		})
		return v
	}
	v, w := newest(one), newest(other)
	if math.Abs(v-w) > part*math.Abs(v) {
		b.t.Errorf("%s: %s has %v, %s has %v", field, one, v, other, w)
	}
	return fmt.Sprintf("%s %v and %v", field, v, w)
}

// complete checks that the readings of every sensor are numbered without a hole, and returns how
// many there are of each.
func (b *broker) complete() map[string]int {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	count := map[string]int{}
	for sensor, readings := range b.readings {
		seen := map[uint64]bool{}
		var most uint64
		for _, r := range readings {
			seen[r.Seq], most = true, max(most, r.Seq)
		}
		count[sensor] = len(readings)
		if uint64(len(seen)) != most {
			b.t.Errorf("%s: %d of %d readings came", sensor, len(seen), most)
		}
	}
	return count
}
