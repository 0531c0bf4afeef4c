package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/gateway"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/systemd"
)

// sleeper hears what a gateway that sleeps says.
type sleeper struct {
	mu       sync.Mutex
	states   []string       // of P/status
	seen     map[uint64]int // readings by seq; 1: live, 2: late
	newest   uint64
	replied  int // in which state of P/status, counted from 1, the reply came
	lostAt   time.Time
	sleptAt  time.Time // when it last left
	messages []string
}

func (s *sleeper) take(msg *mqtt.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, msg.Topic+" "+string(msg.Payload))
	switch topic := strings.TrimPrefix(msg.Topic, "fieldgate/gw/"); topic {
	case "status":
		var d contract.Status
		_ = json.Unmarshal(msg.Payload, &d)
		s.states = append(s.states, d.State)
		switch d.State {
		case contract.Sleeping:
			s.sleptAt = time.Now()
		case contract.Lost:
			s.lostAt = time.Now()
		}
	case "telemetry/wave", "telemetry/wave/late":
		var d contract.Telemetry
		_ = json.Unmarshal(msg.Payload, &d)
		for _, r := range d.Readings {
			s.seen[r.Seq] = map[bool]int{false: 1, true: 2}[strings.HasSuffix(topic, "/late")]
			s.newest = max(s.newest, r.Seq)
		}
	case "reply/ping":
		s.replied = len(s.states)
	}
}

// count returns how often P/status said so.
func (s *sleeper) count(state string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range s.states {
		if each == state {
			n++
		}
	}
	return n
}

// TestSleeps: wakings of a gateway before mosquitto, in this process, since a configuration allows
// no shorter period than a minute.
func TestSleeps(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	s := &sleeper{seen: map[uint64]int{}}
	listen(t, m.url(), s.take)
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"wave\"\ndriver = \"sim\"\nevery = \"100ms\"\n")
	g.mqtt("online = \"every 1m\"")
	o := &options{config: g.path("fieldgate.toml"), stateDir: g.dir}
	cfg, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.MQTT.Online, cfg.Buffer.Path, cfg.Control.Socket = config.Online(5*time.Second), g.path("queue.db"), g.path("control.sock")
	notify, err := systemd.NewNotifier()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(g.log, nil))
	buses := openBuses(log)
	defer buses.Close()
	go func() {
		ended <- gateway.Run(ctx, gateway.Options{Config: cfg, ConfigState: "current", Buses: buses, Notify: notify, Level: new(slog.LevelVar), Log: log, Version: "test"})
	}()
	eventually(t, 10*time.Second, "it sleeps", func() bool { return s.count(contract.Sleeping) == 1 })
	eventually(t, time.Second, "it knows that", func() bool { st, err := g.ask(); return err == nil && st.Health.Link.Asleep })
	st, err := g.ask()
	if err != nil || st.Health.State != "ok" || st.Health.Link.NextAttempt == nil {
		t.Errorf("asleep: %v %+v", err, st.Health)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{{[]string{"status"}, "asleep until "}, {[]string{"status", "--check"}, "asleep until "}, {[]string{"doctor", "--state-dir", g.dir}, "the gateway is asleep until "}} {
		if out, _ := g.command(append(tt.args, "-c", g.path("fieldgate.toml"))...); !strings.Contains(out, tt.want) {
			t.Errorf("%v: %s", tt.args, out)
		}
	}
	m.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/ping", "-m", `{"id":"waits"}`)
	eventually(t, 20*time.Second, "it wakes twice", func() bool { return s.count(contract.Sleeping) == 3 })
	before := time.Now()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("asleep it took %v to end", took)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.states, " "); got != "online sleeping online sleeping online sleeping" {
		t.Error(got)
	}
	if s.replied != 3 {
		t.Errorf("the reply came in state %d of P/status: %q", s.replied, s.messages)
	}
	late := 0
	for seq := uint64(1); seq <= s.newest; seq++ {
		switch s.seen[seq] {
		case 0:
			t.Errorf("reading %d is missing", seq)
		case 2:
			late++
		}
	}
	if s.newest < 60 || late > 3 { // those of before the first connection
		t.Errorf("%d readings, %d late", s.newest, late)
	}
}

// TestKilledAsleepIsLost: mosquitto publishes the will when its delay has passed since the gateway
// left, and not before.
func TestKilledAsleepIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	m := newMosquitto(t)
	s := &sleeper{seen: map[uint64]int{}}
	listen(t, m.url(), s.take)
	g := newGateway(t, m.url(), waveSensor)
	g.mqtt("online = \"every 1m\"")
	g.running()
	eventually(t, 10*time.Second, "it sleeps", func() bool { return s.count(contract.Sleeping) == 1 })
	g.kill()
	delay := config.WillDelay(config.Online(time.Minute))
	eventually(t, delay+15*time.Second, "it is lost", func() bool { return s.count(contract.Lost) == 1 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if after := s.lostAt.Sub(s.sleptAt); after < delay-time.Second {
		t.Errorf("lost after %v, want %v", after, delay)
	} else {
		t.Logf("lost %v after it left", after.Round(time.Second))
	}
}
