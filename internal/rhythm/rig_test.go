package rhythm_test

import (
	"cmp"
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
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/link"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/internal/platform/plain"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/rhythm"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

const period = 15 * time.Minute

// setup is how a rig differs from a gateway that wakes every 15 minutes.
type setup struct {
	online   config.Online // 0: every period; negative: always
	sensors  int           // default 2
	every    time.Duration // of their readings: default 1m
	maxLoss  time.Duration // default 1s
	begin    time.Duration // how long after a multiple it starts: default 1s
	noClock  bool
	behavior mqtttest.Behavior
	client   func(*mqtt.Config)
	slow     time.Duration // how much later the PUBACK of "sleeping" is noticed
}

// slowUplink tells late that P/status was acknowledged.
type slowUplink struct {
	*uplink.Uplink
	by time.Duration
}

func (u slowUplink) Set(topic string, text []byte, done func()) {
	later := done
	if u.by > 0 && done != nil {
		later = func() { time.AfterFunc(u.by, done) }
	}
	u.Uplink.Set(topic, text, later)
}

// A rig is the parts of a gateway that sending needs, before a scripted broker, in a bubble.
type rig struct {
	t        testing.TB
	began    time.Time // of the bubble
	broker   *mqtttest.Broker
	store    *buffer.Store
	client   *mqtt.Client
	uplink   *uplink.Uplink
	link     *link.Link
	rhythm   *rhythm.Rhythm
	presence *contract.Presence
	cancel   context.CancelFunc
	ended    <-chan struct{} // closed by cancel
	tasks    sync.WaitGroup

	mu        sync.Mutex
	online    time.Duration // connected so far
	known     bool          // the clock
	connected time.Time
	commands  int
	heard     []message // by another client
}

// A message is one that arrived at another client, and when.
type message struct {
	at             time.Duration
	topic, payload string
}

func (r *rig) Up() time.Duration { return time.Since(r.began) + time.Hour }
func (r *rig) Now() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return time.Time{}, false
	}
	return time.Now(), true
}
func (r *rig) Time(_ string, up time.Duration) (time.Time, bool) {
	_, known := r.Now()
	return r.began.Add(up - time.Hour), known
}
func (r *rig) Pending() bool { return false }

var topics = contract.NewTopics("fieldgate", "g")

func newRig(t testing.TB, s setup) *rig {
	t.Helper()
	online := max(cmp.Or(s.online, config.Online(period)), 0)
	r := &rig{t: t, began: time.Now(), known: !s.noClock, broker: mqtttest.New(s.behavior)}
	r.listen()
	time.Sleep(cmp.Or(s.begin, time.Second))
	var err error
	r.store, err = buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{
		MaxLoss: cmp.Or(s.maxLoss, time.Second), Machine: "m", KernelBoot: "k", Up: r.Up, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.presence = &contract.Presence{Run: r.store.Run(), Store: r.store.ID(), Boot: r.store.Boot(), Version: "v1.0.0", Now: r.Now}
	subscriptions := link.Subscriptions(topics, plain.New(platform.Parts{Topics: topics, Commands: []string{"ping"}}).Subscriptions(), "")
	c := mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "g", Dial: r.broker.Dial, MaxInFlight: 100, Subscriptions: link.ForClient(subscriptions),
		Session: link.Session{Store: r.store, Closed: buffer.ErrClosed, Client: "g", Log: slog.New(slog.DiscardHandler)},
		Will: func() *mqtt.Will {
			return &mqtt.Will{Delay: config.WillDelay(online), Message: mqtt.Message{Topic: topics.Status(), Payload: r.presence.Document(contract.Lost), QoS: mqtt.AtLeastOnce, Retain: true}}
		},
		OnEvent: r.event, Handler: r.receive}
	if s.client != nil {
		s.client(&c)
	}
	if r.client, err = mqtt.New(c); err != nil {
		t.Fatal(err)
	}
	r.link = link.New(link.Config{Gateway: "g", Subscriptions: subscriptions, Online: online, Up: r.Up, Stats: r.client.Stats})
	r.uplink = uplink.New(uplink.Config{Gateway: "g", Topics: topics, Encoder: new(payloadjson.Encoder), JSON: new(payloadjson.Encoder), BatchMax: 500,
		Alarm: func(a contract.AlarmEvent) { t.Errorf("%+v", a) },
		Last:  func(string) bool { return true }, Queue: r.store, Client: link.Sender{Client: r.client}, Clock: r, Log: slog.New(slog.DiscardHandler)})
	r.rhythm = rhythm.New(rhythm.Config{Online: online, Clock: r, Uplink: slowUplink{r.uplink, s.slow}, Client: r.client, Topic: topics.Status(), Presence: r.presence,
		Busy: r.busy, Log: slog.New(slog.DiscardHandler)})
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	r.ended = ctx.Done()
	r.tasks.Go(func() { _ = r.client.Run(context.Background()) })
	r.tasks.Go(func() { _ = r.uplink.Run(ctx) })
	r.tasks.Go(func() { _ = r.rhythm.Run(ctx) })
	for i := range max(s.sensors, 2) {
		r.tasks.Go(func() { r.sense(ctx, fmt.Sprint("s", i), cmp.Or(s.every, time.Minute)) })
	}
	return r
}

// sense takes readings of three fields.
func (r *rig) sense(ctx context.Context, sensor string, every time.Duration) {
	time.Sleep(100 * time.Millisecond) // after the first connection
	for n := int64(0); ; n++ {
		body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5+float64(n%7)/10), drivers.Float("humidity", 48.2+float64(n%5)/10), drivers.Float("pressure", 101325+float64(n%11))})
		if _, err := r.store.Append(context.Background(), buffer.Readings, sensor, r.Up(), body); err != nil {
			r.t.Error(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// event does what the gateway does.
func (r *rig) event(e mqtt.Event) {
	r.link.Event(e)
	continues := r.rhythm.Event(e)
	switch e.Kind {
	case mqtt.Connected:
		r.uplink.Set(topics.Status(), r.presence.Document(contract.Online), nil)
		r.uplink.Repeat(topics.Status())
		r.uplink.SetLink(uplink.Link{Up: true, Broker: e.URL, Continues: continues, Fresh: !e.Negotiated.SessionPresent,
			Window: min(100, int(e.Negotiated.ReceiveMaximum)), MaxPacket: int(e.Negotiated.MaximumPacketSize)})
		r.mu.Lock()
		r.connected = time.Now()
		r.mu.Unlock()
	case mqtt.Disconnected:
		r.uplink.SetLink(uplink.Link{})
		r.mu.Lock()
		if !r.connected.IsZero() {
			r.online += time.Since(r.connected)
		}
		r.connected = time.Time{}
		r.mu.Unlock()
	}
}

// receive runs a command for five seconds and answers it.
func (r *rig) receive(_ context.Context, m *mqtt.Message) error {
	switch name, ok := topics.CommandName(m.Topic); {
	case m.Topic == topics.Status() && !m.Retain && r.presence.Overwritten(m.Payload):
		r.uplink.Repeat(topics.Status())
	case ok:
		defer r.rhythm.Arrived()
		r.mu.Lock()
		r.commands++
		r.mu.Unlock()
		r.tasks.Go(func() {
			time.Sleep(5 * time.Second)
			answer := event.EncodeReply(event.Reply{Topic: topics.Reply(name), Payload: slices.Clone(m.Payload)})
			if _, err := r.store.Append(context.Background(), buffer.Events, event.Replies, r.Up(), answer); err != nil {
				r.t.Error(err)
			}
			r.mu.Lock()
			r.commands--
			r.mu.Unlock()
		})
	}
	return nil
}

func (r *rig) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commands > 0
}

// listen has another client hear everything.
func (r *rig) listen() {
	c, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "watcher", Dial: r.broker.Dial, KeepAlive: mqtt.NoKeepAlive, AckTimeout: mqtt.NoAckTimeout,
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/#", QoS: mqtt.AtLeastOnce}},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.heard = append(r.heard, message{time.Since(r.began), m.Topic, string(m.Payload)})
			return nil
		}})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = c.Run(ctx) })
	r.t.Cleanup(func() { cancel(); ended.Wait() })
	synctest.Wait()
}

// kill ends the gateway without a word to the broker.
func (r *rig) kill() {
	r.cancel()
	_ = r.client.Close(context.Background(), mqtt.Disconnect{Code: 0x80})
	r.tasks.Wait()
	r.uplink.Settle(context.Background())
}

// close ends everything.
func (r *rig) close() {
	r.kill()
	if err := r.store.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
	r.broker.Close()
	for _, v := range r.broker.Violations() {
		r.t.Error(v)
	}
}

// take returns what was heard since it was called last.
func (r *rig) take() []message {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := r.heard
	r.heard = nil
	return heard
}

// states returns what P/status said, and when since the bubble began.
func states(heard []message) string {
	var list []string
	for _, m := range heard {
		if m.topic != topics.Status() {
			continue
		}
		var s contract.Status
		_ = json.Unmarshal([]byte(m.payload), &s)
		text := fmt.Sprintf("%v %s", m.at.Round(time.Second), s.State)
		if s.Until != nil && !s.Until.IsZero() {
			text += " " + s.Until.UTC().Format(time.TimeOnly)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// readings counts the distinct readings that were heard, live and late.
func readings(heard []message) (live, late int) {
	seen := map[string]bool{}
	for _, m := range heard {
		var t contract.Telemetry
		if !strings.Contains(m.topic, "/telemetry/") || json.Unmarshal([]byte(m.payload), &t) != nil {
			continue
		}
		for _, x := range t.Readings {
			id := fmt.Sprint(t.Sensor, x.Seq)
			switch {
			case seen[id]:
			case strings.HasSuffix(m.topic, "/late"):
				late++
			default:
				live++
			}
			seen[id] = true
		}
	}
	return live, late
}
