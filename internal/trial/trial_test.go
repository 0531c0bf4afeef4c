package trial_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
	"github.com/fieldgate/fieldgate/internal/trial"
)

// kv is a store in memory.
type kv map[string]string

func (s kv) Get(_ context.Context, bucket, key string) ([]byte, error) {
	if text, ok := s[bucket+"/"+key]; ok {
		return []byte(text), nil
	}
	return nil, nil
}

func (s kv) Put(_ context.Context, bucket, key string, value []byte) error {
	s[bucket+"/"+key] = string(value)
	return nil
}

// program is what a gateway shows.
type program struct {
	mu            sync.Mutex
	acked, online bool
	sensors       []sampling.State
	events        []contract.UpdateEvent
}

func (p *program) trial(t *testing.T, store kv, files *trial.Files, c *config.Config) *trial.Trial {
	return trial.New(t.Context(), trial.Config{
		Files: files, Version: "v2", Gateway: c, Store: store,
		Acked: func() bool { return p.shows().acked }, Online: func() bool { return p.shows().online }, Sensors: func() []sampling.State { return p.shows().sensors },
		Event: func(kind string, fields any) {
			if kind != contract.EventUpdate {
				t.Errorf("event %s", kind)
			}
			p.events = append(p.events, fields.(contract.UpdateEvent))
		},
		Log: slog.New(slog.DiscardHandler),
	})
}

// shown is what a program shows.
type shown struct {
	acked, online bool
	sensors       []sampling.State
}

func (p *program) shows() shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	return shown{p.acked, p.online, slices.Clone(p.sensors)}
}

// can makes the program deliver, and read a sensor.
func (p *program) can(sensor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked = true
	for i := range p.sensors {
		if p.sensors[i].Sensor == sensor {
			p.sensors[i].Reads = 1
		}
	}
}

func gateway(sensors ...string) *config.Config {
	c := &config.Config{Gateway: config.Gateway{ConfirmWithin: 10 * time.Minute}}
	for _, name := range sensors {
		c.Sensors = append(c.Sensors, config.Sensor{Name: name, Every: time.Second})
	}
	return c
}

// former leaves behind what a program could do that ended in order.
func former(t *testing.T, broker bool, sensors ...string) kv {
	store, p := kv{}, program{acked: broker, online: broker}
	for _, name := range sensors {
		p.sensors = append(p.sensors, sampling.State{Sensor: name, Condition: sampling.OK})
	}
	p.sensors = append(p.sensors, sampling.State{Sensor: "broken", Condition: sampling.Failing, Reads: 7})
	p.trial(t, store, nil, gateway(sensors...)).End(t.Context())
	return store
}

// files returns the files of a program on trial, and their directory.
func files(t *testing.T) (*trial.Files, string) {
	dir := t.TempDir()
	t.Setenv(trial.EnvTrial, "1.2.3")
	return trial.Open(dir), dir
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// TestVerdict: a program is judged by what the former one could do when it ended, of the sensors
// that are still configured.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name  string
		store func(*testing.T) kv
		after time.Duration // of the trial, when the program can do the rest
		want  string        // why it is taken back; "" is confirmed
	}{
		{"the former one could do nothing", func(t *testing.T) kv { return kv{} }, 0, ""},
		{"all in time", func(t *testing.T) kv { return former(t, true, "a", "b") }, 9 * time.Minute, ""},
		{"a removed sensor does not count", func(t *testing.T) kv { return former(t, false, "gone") }, time.Hour, ""},
		{"no broker", func(t *testing.T) kv { return former(t, true) }, time.Hour, "version v2 has not reached its broker within 10m, and the former version could"},
		{"neither", func(t *testing.T) kv { return former(t, true, "a", "b") }, time.Hour,
			"version v2 has not reached its broker, nor read b within 10m, and the former version could"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, dir := files(t)
			synctest.Test(t, func(t *testing.T) {
				p := &program{sensors: []sampling.State{{Sensor: "a", Condition: sampling.OK, Reads: 1}, {Sensor: "b", Condition: sampling.Failing}}}
				tr := p.trial(t, tt.store(t), f, gateway("a", "b"))
				time.AfterFunc(tt.after, func() { p.can("b") })
				err := tr.Run(t.Context())
				if tt.want == "" {
					if err != nil || content(t, dir, "confirmed") != "1.2.3\n" || content(t, dir, "taken-back") != "" || content(t, dir, "trial") != "" {
						t.Errorf("%v, confirmed %q", err, content(t, dir, "confirmed"))
					}
					if len(p.events) != 1 || p.events[0].State != contract.UpdateConfirmed {
						t.Errorf("events %v", p.events)
					}
					return
				}
				if err == nil || content(t, dir, "taken-back") != "1.2.3\n"+tt.want+"\n" || content(t, dir, "confirmed") != "" {
					t.Errorf("%v\ntaken back %q", err, content(t, dir, "taken-back"))
				}
			})
		})
	}
}

// TestSlowSensor: a sensor that is due each hour, and a connection that comes each day, may take as
// long.
func TestSlowSensor(t *testing.T) {
	f, dir := files(t)
	synctest.Test(t, func(t *testing.T) {
		c := gateway("slow")
		c.Sensors[0].Every, c.MQTT.Online = time.Hour, config.Online(24*time.Hour)
		p := &program{sensors: []sampling.State{{Sensor: "slow"}}}
		time.AfterFunc(24*time.Hour, func() { p.can("slow") })
		if err := p.trial(t, former(t, true, "slow"), f, c).Run(t.Context()); err != nil || content(t, dir, "confirmed") == "" {
			t.Errorf("%v", err)
		}
	})
}

// TestOrderlyEndOnTrial: it is no failed start, and what the former program could do stays.
func TestOrderlyEndOnTrial(t *testing.T) {
	f, dir := files(t)
	synctest.Test(t, func(t *testing.T) {
		store, p := former(t, true, "a"), &program{}
		before := store["trial/could"]
		tr := p.trial(t, store, f, gateway("a"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := tr.Run(ctx); err != nil {
			t.Fatal(err)
		}
		tr.End(t.Context())
		if content(t, dir, "trial") != "1.2.3 0\n" || store["trial/could"] != before {
			t.Errorf("%q, %s", content(t, dir, "trial"), store["trial/could"])
		}
	})
}

// TestTrialGoesOn: a board that is on for minutes at a time judges after as much time as one that
// stays on.
func TestTrialGoesOn(t *testing.T) {
	f, dir := files(t)
	synctest.Test(t, func(t *testing.T) {
		store := former(t, true)
		for run := range 2 {
			p := &program{}
			tr := p.trial(t, store, f, gateway())
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			begin := time.Now()
			err := tr.Run(ctx)
			if took := time.Since(begin).Round(time.Second); run == 0 && (err != nil || took != 6*time.Minute) || run == 1 && (err == nil || took != 4*time.Minute) {
				t.Errorf("run %d: %v after %v", run, err, took)
			}
			cancel()
			if run == 0 {
				tr.End(t.Context())
			}
		}
		if content(t, dir, "taken-back") == "" {
			t.Error("it is not taken back")
		}
	})
}

// TestTakenBackIsReported by the former program: once as an event, always as trouble.
func TestTakenBackIsReported(t *testing.T) {
	t.Setenv(trial.EnvTrial, "")
	t.Setenv(trial.EnvTakenBack, "it did not read hall")
	store := kv{}
	for start := range 2 {
		p := &program{}
		tr := p.trial(t, store, trial.Open(t.TempDir()), gateway())
		if got := tr.Trouble(); len(got) != 1 || !strings.Contains(got[0], "it did not read hall") {
			t.Errorf("trouble %q", got)
		}
		if len(p.events) != 1-start {
			t.Errorf("start %d: %d events", start, len(p.events))
		} else if start == 0 && (p.events[0].State != contract.UpdateTakenBack || p.events[0].Detail != "it did not read hall") {
			t.Errorf("%+v", p.events[0])
		}
	}
}

// TestShortRunForgetsNothing: a program that ended soon after its start has not shown what it
// cannot do, so that the next one is still judged by what could be done before.
func TestShortRunForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			runs time.Duration
			want string
		}{
			{time.Minute, `{"broker":true,"sensors":["a","b"]}`},
			{11 * time.Minute, `{"broker":false,"sensors":["b"]}`},
		} {
			store, p := former(t, true, "a"), &program{}
			tr := p.trial(t, store, nil, gateway("a", "b"))
			time.Sleep(tt.runs)
			p.sensors = []sampling.State{{Sensor: "b", Condition: sampling.OK}}
			tr.End(t.Context())
			if got := store["trial/could"]; got != tt.want {
				t.Errorf("after %v: %s, want %s", tt.runs, got, tt.want)
			}
		}
	})
}

// TestAbilityNeedsTheBrokerNow: a program that ends during an outage did not reach its broker.
func TestAbilityNeedsTheBrokerNow(t *testing.T) {
	store, p := kv{}, &program{acked: true}
	p.trial(t, store, nil, gateway()).End(t.Context())
	var a trial.Ability
	if err := json.Unmarshal([]byte(store["trial/could"]), &a); err != nil || a.Broker {
		t.Errorf("%+v, %v", a, err)
	}
}
