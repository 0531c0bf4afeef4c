package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// broker is a client whose test decides what becomes of each message.
type broker struct {
	mu   sync.Mutex
	sent []flight
}

type flight struct {
	Message
	done func(byte, error)
}

func (b *broker) Send(m Message, done func(byte, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, flight{m, done})
	return nil
}

// Withdraw gives all messages of a lower priority back that the test has not taken.
func (b *broker) Withdraw(below int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = slices.DeleteFunc(b.sent, func(f flight) bool {
		if f.Priority < below {
			go f.done(0, ErrWithdrawn)
		}
		return f.Priority < below
	})
}

// take returns what was sent since the last call.
func (b *broker) take() []flight {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	return sent
}

// put gives back what take returned, to be returned again.
func (b *broker) put(flights []flight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(flights, b.sent...)
}

// wall is a clock that knows all times unless it is pending, but for those of some kernel boots.
type wall struct {
	pending bool
	unknown map[string]bool
}

func (w *wall) Time(kernel string, up time.Duration) (time.Time, bool) {
	if w.pending || w.unknown[kernel] {
		return time.Time{}, false
	}
	return time.Unix(0, int64(up)), true
}
func (w *wall) Pending() bool { return w.pending }

// rig is an uplink on a real store before a scripted broker, in a bubble.
type rig struct {
	t       *testing.T
	file    string
	store   *buffer.Store
	broker  *broker
	uplink  *Uplink
	clock   *wall
	alarms  []contract.AlarmEvent
	kernel  string                     // that runs, from the next again on
	maxLoss time.Duration              // of the store, from the next again on
	high    string                     // a sensor of high priority, from the next again on
	ttl     time.Duration              // of sensor a, from the next again on
	arrived map[string]map[uint64]bool // sequence numbers, by topic; see serve
	cancel  context.CancelFunc
	ended   chan error
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, file: filepath.Join(t.TempDir(), "q.db"), broker: &broker{}, kernel: "k", clock: &wall{}, ended: make(chan error, 1)}
	r.begin(change)
	return r
}

// again ends the uplink and its store and starts again with the same file.
func (r *rig) again(change func(*Config)) {
	r.t.Helper()
	r.close()
	r.begin(change)
}

func (r *rig) begin(change func(*Config)) {
	t := r.t
	t.Helper()
	began := time.Now()
	var err error
	r.store, err = buffer.Open(t.Context(), r.file, buffer.Options{
		Streams: map[string]buffer.StreamOptions{"a": {TTL: r.ttl}, r.high: {Priority: buffer.High}},
		MaxLoss: r.maxLoss, Machine: "m", KernelBoot: r.kernel, Up: func() time.Duration { return time.Since(began) + time.Hour }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Gateway: "g", Topics: contract.NewTopics("fieldgate", "g"), Encoder: new(payloadjson.Encoder), JSON: new(payloadjson.Encoder), BatchMax: 100,
		Last: func(string) bool { return false }, Alarm: func(a contract.AlarmEvent) { r.alarms = append(r.alarms, a) },
		Queue: r.store, Client: r.broker, Clock: r.clock, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	r.uplink = New(c)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	go func() { r.ended <- r.uplink.Run(ctx) }()
}

// close ends the uplink and returns how many records the store still has.
func (r *rig) close() (left int64) {
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	r.uplink.Settle(context.Background())
	s := r.store.Stats()
	if err := r.store.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
	return s.Live + s.Backlog + s.Events
}

// measure appends n readings of a sensor.
func (r *rig) measure(sensor string, n int) {
	r.t.Helper()
	for i := range n {
		body := reading.Append(nil, []drivers.Value{drivers.Int("n", int64(i))})
		if _, err := r.store.Append(r.t.Context(), buffer.Readings, sensor, time.Duration(i)*time.Second, body); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) happen(kind string) {
	r.t.Helper()
	body, err := event.Encode(kind, contract.SensorEvent{Sensor: "a", State: "ok"})
	if err == nil {
		_, err = r.store.Append(r.t.Context(), buffer.Events, event.Events, time.Second, body)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// settled waits until the uplink has nothing to do and returns what it sent.
func (r *rig) settled() []flight { synctest.Wait(); return r.broker.take() }

// show returns topics and sequence numbers: "telemetry/a 1-3".
func show(flights []flight) string {
	var out []string
	for _, f := range flights {
		var m struct {
			Readings []struct {
				Seq uint64 `json:"seq"`
			} `json:"readings"`
		}
		text := strings.TrimPrefix(f.Topic, "fieldgate/g/")
		if json.Unmarshal(f.Payload, &m) == nil && len(m.Readings) > 0 {
			text += fmt.Sprintf(" %d-%d", m.Readings[0].Seq, m.Readings[len(m.Readings)-1].Seq)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func (r *rig) want(want string, flights []flight) {
	r.t.Helper()
	if got := show(flights); got != want {
		r.t.Errorf("want %q, got %q", want, got)
	}
}

func ack(flights []flight, code byte) {
	for _, f := range flights {
		f.done(code, nil)
	}
}

// refuseUpTo answers what is sent until nothing more comes: the broker refuses the payload of a
// message whose first reading is not above seq.
func (r *rig) refuseUpTo(seq uint64) {
	r.t.Helper()
	for flights := r.settled(); len(flights) > 0; flights = r.settled() {
		for _, f := range flights {
			var m struct{ Readings []struct{ Seq uint64 } }
			if err := json.Unmarshal(f.Payload, &m); err != nil {
				r.t.Fatal(err)
			}
			if m.Readings[0].Seq <= seq {
				f.done(codePayloadInvalid, nil)
			} else {
				f.done(0, nil)
			}
		}
	}
}
