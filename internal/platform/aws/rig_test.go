package aws_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/internal/platform/aws"
	"github.com/fieldgate/fieldgate/internal/platform/aws/awstest"
	"github.com/fieldgate/fieldgate/internal/sampling"
	"github.com/fieldgate/fieldgate/internal/shadow"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

const thing = "gw1"

// rig is the dialect with the real shadow, the real client and the fake services, in a bubble.
type rig struct {
	t       *testing.T
	broker  *mqtttest.Broker
	service *awstest.Service
	store   *buffer.Store
	dialect *aws.Dialect
	client  *mqtt.Client
	shadow  *shadow.Shadow

	before func() // is called before a wish is adopted; nil: nothing is

	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	settings shadow.Settings
	accepted []command.Request
}

// inBubble runs a test with a rig.
func inBubble(t *testing.T, text string, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, broker: mqtttest.New(mqtttest.Behavior{})}
		var err error
		if r.service, err = awstest.Serve(t.Context(), "mqtt://b", r.broker.Dial); err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse([]config.Source{{Name: "f.toml", Text: "[gateway]\nid = \"gw1\"\n[mqtt]\nurls = [\"mqtts://b\"]\n[cloud]\nplatform = \"aws\"\n" + text}},
			config.Catalogue{Platforms: []config.Platform{aws.Limits()}, Formats: config.Words{{Name: "json"}}})
		if err != nil {
			t.Fatal(err)
		}
		r.store, err = buffer.Open(t.Context(), t.TempDir()+"/q.db", buffer.Options{Machine: "m", KernelBoot: "k", Up: func() time.Duration { return time.Hour }, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		r.dialect = aws.New(c, platform.Parts{
			Topics: contract.NewTopics("fieldgate", "gw1"),
			Adopt: func(ctx context.Context, d contract.Desired) error {
				if r.before != nil {
					r.before()
				}
				return r.shadow.Adopt(ctx, d)
			},
			Desired: func(context.Context, []byte) error { t.Error("a plain desired document"); return nil },
			Accept: func(_ context.Context, q command.Request) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.accepted = append(r.accepted, q)
				return nil
			},
			Uplink: func() platform.Uplink { return r },
		}, slog.New(slog.NewTextHandler(t.Output(), nil)))
		base := shadow.Settings{LogLevel: "info", HealthEvery: time.Minute, Sensors: map[string]sampling.Settings{
			"hall": {Every: 10 * time.Second, Enabled: true}, "pump": {Every: time.Second, Enabled: true, Deadband: map[string]float64{"flow": 0.5}}}}
		for i := range 200 {
			if strings.Contains(text, "# many") {
				base.Sensors["sensor-"+string(rune('a'+i/26))+string(rune('a'+i%26))] = sampling.Settings{Every: time.Second, Enabled: true, Deadband: map[string]float64{"temperature": 0.25}}
			}
		}
		r.shadow, err = shadow.New(t.Context(), shadow.Config{
			Base: base, Limits: shadow.Limits{Allow: []string{"sensors.every", "sensors.enabled", "sensors.deadband", "gateway.log_level"}, EveryMin: 100 * time.Millisecond, EveryMax: time.Hour, Fields: map[string][]string{"pump": {"flow"}}},
			Store: r.store, Now: func() (time.Time, bool) { return time.Now(), true }, Apply: func(s shadow.Settings) { r.mu.Lock(); defer r.mu.Unlock(); r.settings = s },
			Publish: r.dialect.Report, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if r.client != nil {
				r.leave()
			}
			r.service.Close()
			r.broker.Close()
			if err := r.store.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if v := r.broker.Violations(); len(v) > 0 {
				t.Errorf("the client did: %q", v)
			}
		})
		r.t = t
		test(r)
	})
}

// connect brings the gateway's client up.
func (r *rig) connect() {
	r.t.Helper()
	var subscriptions []mqtt.Subscription
	for _, s := range r.dialect.Subscriptions() {
		subscriptions = append(subscriptions, s.Subscription)
	}
	var err error
	r.client, err = mqtt.New(mqtt.Config{
		URLs: []string{"mqtt://b"}, ClientID: "gw1", Dial: r.broker.Dial, Subscriptions: subscriptions, FiltersMax: aws.Limits().FiltersMax, Log: slog.New(slog.DiscardHandler),
		Handler: func(ctx context.Context, m *mqtt.Message) error { _, err := r.dialect.Receive(ctx, m); return err },
		OnEvent: func(e mqtt.Event) {
			switch e.Kind {
			case mqtt.Connected:
				r.dialect.Connected(true)
			case mqtt.Disconnected:
				r.dialect.Connected(false)
			}
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { _ = r.client.Run(ctx) })
	both.Go(func() { _ = r.dialect.Run(ctx) })
	go func() { both.Wait(); close(r.ended) }()
	r.settle()
}

// leave ends the gateway's client.
func (r *rig) leave() {
	r.cancel()
	<-r.ended
	r.dialect.Connected(false)
	r.client = nil
}

// settle waits until nothing happens any more, for less than any time-out.
func (r *rig) settle() { time.Sleep(time.Second); synctest.Wait() }

// Set implements platform.Uplink.
func (r *rig) Set(topic string, _ []byte, _ func()) { r.t.Errorf("a retained document on %s", topic) }

// Publish implements platform.Uplink.
func (r *rig) Publish(topic string, text []byte) {
	_ = r.client.Send(&mqtt.Message{Topic: topic, Payload: text, QoS: mqtt.AtLeastOnce}, func(mqtt.PublishResult, error) {})
}

func (r *rig) every(sensor string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings.Sensors[sensor].Every
}

// in returns the value at a path of a tree, nil if there is none.
func in(t map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		t, _ = t[key].(map[string]any)
	}
	return t[path[len(path)-1]]
}

// patch reads a JSON object.
func patch(t *testing.T, text string) (p map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// jobs returns the commands that were accepted: name, arguments and where the answer goes.
func (r *rig) jobs() (list []command.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.accepted)
}

// reply sends what the ledger answers to a request, in the dialect's form.
func (r *rig) reply(q command.Request, state string) {
	r.t.Helper()
	r.replyWith(q, contract.Reply{V: 1, State: state, Op: q.Name, Error: "why\nso", Result: json.RawMessage(`{"a":1}`)})
}

func (r *rig) replyWith(q command.Request, reply contract.Reply) {
	r.t.Helper()
	text, err := json.Marshal(reply)
	if err != nil {
		r.t.Fatal(err)
	}
	m := r.dialect.Reply(event.Reply{Topic: q.Answer, Correlation: q.Correlation, Payload: text})
	r.Publish(m.Topic, m.Payload)
	r.settle()
}
