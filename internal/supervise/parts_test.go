package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/sampling"
	"github.com/fieldgate/fieldgate/internal/supervise"
	"github.com/fieldgate/fieldgate/internal/uplink"
)

// gateway is the parts that are watched, as the gateway makes them: a real store, an uplink before
// a broker, and two samplers.
type gateway struct {
	t      *testing.T
	watch  *supervise.Watch
	fed    *atomic.Int64
	log    *bytes.Buffer
	store  *buffer.Store
	uplink *uplink.Uplink
	broker broker
	bus    bus // of the sensor "first"; the one of "second" works
	state  atomic.Pointer[func(sampling.State)]
	ctx    context.Context
	first  *sampling.Sampler
	second *sampling.Sampler
}

// broker acknowledges what it is sent, unless it is mute.
type broker struct {
	mute, hangs atomic.Bool
	hang        chan struct{}
}

func (b *broker) Send(_ uplink.Message, done func(byte, error)) error {
	if b.hangs.Load() {
		<-b.hang
	}
	if !b.mute.Load() {
		go done(0, nil)
	}
	return nil
}
func (b *broker) Withdraw(int) {}

// wall knows the time.
type wall struct{}

func (wall) Time(string, time.Duration) (time.Time, bool) { return time.Now(), true }
func (wall) Pending() bool                                { return false }

// bus is a device whose Read waits for the end of a hang, whatever its context says.
type bus struct {
	hang  atomic.Pointer[chan struct{}]
	fails atomic.Bool
}

func (b *bus) Read(context.Context) ([]drivers.Value, error) {
	if hang := b.hang.Load(); hang != nil {
		<-*hang
	}
	if b.fails.Load() {
		return nil, errors.New("no answer")
	}
	return []drivers.Value{drivers.Float("x", 1)}, nil
}
func (b *bus) Close() error { return nil }

// inBubble runs a test with the parts at work and a broker connected, for ten seconds so far.
func inBubble(t *testing.T, change func(*gateway, *buffer.Options), test func(*gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{t: t, broker: broker{hang: make(chan struct{})}}
		nothing := func(sampling.State) {}
		g.state.Store(&nothing)
		g.watch, g.fed, g.log = watched(t)
		began := time.Now()
		up := func() time.Duration { return time.Since(began) + time.Hour }
		o := buffer.Options{MaxLoss: time.Second, Machine: "m", KernelBoot: "k", Up: up, Beat: g.watch.Part("store").Beat}
		if change != nil {
			change(g, &o)
		}
		var err error
		if g.store, err = buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), o); err != nil {
			t.Fatal(err)
		}
		g.uplink = uplink.New(uplink.Config{Gateway: "g", Topics: contract.NewTopics("fieldgate", "g"), Encoder: new(payloadjson.Encoder), JSON: new(payloadjson.Encoder), BatchMax: 100,
			Last: func(string) bool { return false }, Alarm: func(contract.AlarmEvent) {}, Queue: g.store, Client: &g.broker, Clock: wall{}, Beat: g.watch.Part("uplink").Beat, Log: slog.New(slog.DiscardHandler)})
		sampler := func(name string, d drivers.Driver) *sampling.Sampler {
			return sampling.New(sampling.Config{Name: name, Settings: sampling.Settings{Every: 10 * time.Second, Enabled: true}, Open: func(context.Context) (drivers.Driver, error) { return d, nil }},
				sampling.Deps{Up: up, Wall: time.Now, OnState: func(s sampling.State) { (*g.state.Load())(s) }, Beat: g.watch.Part("sensor " + name).Beat,
					Sink: func(ctx context.Context, sensor string, up time.Duration, values []drivers.Value) error {
						_, err := g.store.Append(ctx, buffer.Readings, sensor, up, reading.Append(nil, values))
						return err
					}})
		}
		g.first, g.second = sampler("first", &g.bus), sampler("second", new(bus))
		ctx, cancel := context.WithCancel(t.Context())
		g.ctx = ctx
		var running sync.WaitGroup
		for _, run := range []func(context.Context) error{g.uplink.Run, g.first.Run, g.second.Run} {
			running.Go(func() { _ = run(ctx) }) // the one that hangs was abandoned
		}
		if !g.watch.Begun(ctx) {
			t.Error("they have not begun")
		}
		g.uplink.SetLink(uplink.Link{Up: true, Broker: "mqtt://a", Window: 20})
		time.Sleep(10 * time.Second)
		test(g)
		cancel()
		running.Wait()
		_ = g.store.Close(context.Background())
	})
}

// stuck checks that the watchdog starves within the bound and what the part has promised before it
// hangs, and that the log names the part.
func (g *gateway) stuck(part string, promised time.Duration) {
	g.t.Helper()
	if n := feeds(g.fed, supervise.Bound-time.Second); n < 298 {
		g.t.Errorf("fed %d times within the bound", n)
	}
	time.Sleep(promised + 2*time.Second)
	if n := feeds(g.fed, 10*time.Minute); n != 0 {
		g.t.Errorf("fed %d times after it", n)
	}
	if !strings.Contains(g.log.String(), "part="+part) && !strings.Contains(g.log.String(), fmt.Sprintf("part=%q", part)) {
		g.t.Errorf("log: %s", g.log)
	}
}

// alive checks that the watchdog is fed for all of a time.
func (g *gateway) alive(d time.Duration) {
	g.t.Helper()
	if n := feeds(g.fed, d); n < int64(d/time.Second)-2 || strings.Contains(g.log.String(), "level=ERROR") {
		g.t.Errorf("fed %d times in %v: %s", n, d, g.log)
	}
}

func TestAStuckDisk(t *testing.T) {
	inBubble(t, nil, func(g *gateway) {
		hang := make(chan struct{})
		go func() { _ = g.store.Update(g.ctx, func(*buffer.Tx) error { <-hang; return nil }) }()
		g.stuck("store", 13*time.Second)
		close(hang)
		time.Sleep(time.Second)
		if n := feeds(g.fed, time.Minute); n < 58 {
			t.Errorf("fed %d times after the disk went on: %s", n, g.log)
		}
	})
}

// A disk that takes minutes for each commit is slow.
func TestASlowDisk(t *testing.T) {
	inBubble(t, nil, func(g *gateway) {
		go func() {
			for g.ctx.Err() == nil {
				_ = g.store.Update(g.ctx, func(*buffer.Tx) error { time.Sleep(supervise.Bound - 10*time.Second); return nil })
			}
		}()
		g.alive(20 * time.Minute)
		if !strings.Contains(g.log.String(), "part=store") {
			t.Error("a slow disk is not reported")
		}
	})
}

func TestAStuckLane(t *testing.T) {
	inBubble(t, nil, func(g *gateway) {
		g.broker.hangs.Store(true)
		g.stuck("uplink", 13*time.Second)
		close(g.broker.hang)
	})
}

func TestAStuckSampler(t *testing.T) {
	hang := make(chan struct{})
	inBubble(t, nil, func(g *gateway) {
		hang = make(chan struct{})
		waits := func(sampling.State) { <-hang }
		g.state.Store(&waits)
		g.bus.fails.Store(true)
		g.stuck("sensor first", 22*time.Second) // its next reading is due within 10s, and may take 12s
		close(hang)
	})
}

// A driver that does not return is no reason to start again for ever: the sensor is stale and
// named, and the others go on.
func TestADeadBus(t *testing.T) {
	inBubble(t, nil, func(g *gateway) {
		hang := make(chan struct{})
		g.bus.hang.Store(&hang)
		g.alive(20 * time.Minute)
		if s := g.first.State(); s.Condition != sampling.Stale || !strings.Contains(s.Err, "read did not return after its deadline") {
			t.Errorf("%+v", s)
		}
		if s := g.second.State(); s.Condition != sampling.OK || s.Reads < 120 {
			t.Errorf("%+v", s)
		}
		close(hang)
	})
}

// What is no fault of the program's does not starve the watchdog.
func TestNoFalseAlarm(t *testing.T) {
	for name, change := range map[string]func(*gateway){
		"nothing":           func(*gateway) {},
		"disabled sensors":  func(g *gateway) { g.first.Apply(sampling.Settings{}); g.second.Apply(sampling.Settings{}) },
		"rare readings":     func(g *gateway) { g.first.Apply(sampling.Settings{Enabled: true, Every: 24 * time.Hour}) },
		"a failing sensor":  func(g *gateway) { g.bus.fails.Store(true) },
		"no broker":         func(g *gateway) { g.uplink.SetLink(uplink.Link{}) },
		"a mute broker":     func(g *gateway) { g.broker.mute.Store(true) },
		"a gateway asleep":  func(g *gateway) { g.uplink.Rest(g.ctx) },
		"a window of zero":  func(g *gateway) { g.uplink.SetLink(uplink.Link{Up: true}) },
		"everything is off": func(g *gateway) { g.first.Apply(sampling.Settings{}); g.uplink.SetLink(uplink.Link{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(g *gateway) {
				change(g)
				g.alive(20 * time.Minute)
				if g.log.Len() > 0 {
					t.Errorf("%s", g.log)
				}
			})
		})
	}
	t.Run("a full disk", func(t *testing.T) {
		inBubble(t, func(_ *gateway, o *buffer.Options) { o.MinFree = 1 << 60 }, func(g *gateway) {
			g.uplink.SetLink(uplink.Link{})
			g.alive(20 * time.Minute)
			if s := g.store.Stats(); !s.Full {
				t.Errorf("%+v", s)
			}
		})
	})
}
