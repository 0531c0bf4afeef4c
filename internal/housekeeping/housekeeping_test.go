package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// parts are a clock, a store and a journal that a test decides on. What happens is in said.
type parts struct {
	sync.Mutex
	began           time.Time
	learns          bool // at the next question
	known           bool
	wait            time.Duration // for the clock
	doubt           string
	closed          bool  // the store
	degraded, trips error // of the store; of the ledger
	opened          buffer.Opened
	format          string // that needs the time
	reported        []string
	statuses        int
}

func (p *parts) report(format string, args ...any) {
	p.set(func() { p.reported = append(p.reported, fmt.Sprintf(format, args...)) })
}

// set changes what the housekeeper finds.
func (p *parts) set(change func()) {
	p.Lock()
	defer p.Unlock()
	change()
}

// get reads under the lock.
func get[T any](p *parts, read func() T) T {
	p.Lock()
	defer p.Unlock()
	return read()
}

// heard returns what happened since it was called last.
func (p *parts) reports() string {
	synctest.Wait()
	p.Lock()
	defer p.Unlock()
	text := strings.Join(p.reported, "|")
	p.reported = nil
	return text
}

func (p *parts) Up() time.Duration                            { return time.Since(p.began) }
func (p *parts) Now() (time.Time, bool)                       { return time.Now(), get(p, func() bool { return p.known }) }
func (p *parts) Boot() string                                 { return "k" }
func (p *parts) Time(string, time.Duration) (time.Time, bool) { return p.began, true }
func (p *parts) Keep() error                                  { p.report("keep"); return nil }
func (p *parts) Wait() time.Duration                          { return max(p.wait-p.Up(), 0) }
func (p *parts) Pending() bool                                { return get(p, func() bool { return !p.known && p.Wait() > 0 }) }
func (p *parts) State() string                                { return "state" }
func (p *parts) Doubt() string                                { return get(p, func() string { return p.doubt }) }
func (p *parts) Format() string                               { return get(p, func() string { return p.format }) }
func (p *parts) Origin() (string, time.Duration)              { return "https", 600 * time.Millisecond }
func (p *parts) Learn() (bool, error) {
	return get(p, func() bool {
		learned := p.learns && !p.known
		p.known = p.known || p.learns
		return learned
	}), nil
}
func (p *parts) IsOpen() bool          { return get(p, func() bool { return !p.closed }) }
func (p *parts) Opened() buffer.Opened { return p.opened }
func (p *parts) Stats() buffer.Stats {
	return buffer.Stats{Degraded: get(p, func() error { return p.degraded })}
}
func (p *parts) Run() string { return "run" }
func (p *parts) Runs(context.Context, string) ([]string, error) {
	return []string{"before", "run"}, nil
}
func (p *parts) Losses(context.Context) error { p.report("losses"); return p.trips }
func (p *parts) Add(kind string, fields any) {
	switch e := fields.(type) {
	case contract.ClockEvent:
		p.report("%s %q %s %v", kind, e.Runs, e.Source, e.Uncertainty)
	case contract.StoreEvent:
		p.report("%s %s %s", kind, e.State, e.Detail)
	case contract.SensorEvent:
		p.report("%s %s %s", kind, e.Sensor, e.State)
	}
}

// start runs a housekeeper in a bubble; each second's tick is not said.
func (p *parts) start(t *testing.T, hangup chan os.Signal) *Housekeeper {
	p.began = time.Now()
	h := New(Config{Clock: p, Store: p, Journal: p, Beat: func(time.Duration) {}, Status: func() { p.statuses++ }, Learned: func() { p.report("learned") }, Health: func() { p.report("health") }, Tick: func() {},
		Restart: func() { p.report("restart") }, Reload: func() error { p.report("reload"); return nil }, Hangup: hangup,
		Log: slog.New(slog.NewTextHandler(logged{p}, nil))})
	h.SetHealthEvery(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

// logged says the warnings of the log.
type logged struct{ p *parts }

func (l logged) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "level=WARN") {
		l.p.report("warning")
	}
	return len(line), nil
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{wait: 2 * time.Minute}
		p.start(t, nil)
		if got := p.reports(); got != "losses|health" {
			t.Errorf("at the start: %s", got)
		}
		p.set(func() { p.learns = true })
		time.Sleep(time.Second)
		if got := p.reports(); got != `clock ["before" "run"] https 0.6|learned` {
			t.Errorf("when the time becomes known: %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := &parts{wait: 10 * time.Second}
		p.start(t, nil)
		time.Sleep(11 * time.Second)
		if got := p.reports(); strings.Count(got, "warning") != 1 {
			t.Errorf("readings that go without a time: %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := &parts{known: true}
		p.start(t, nil)
		p.reports()
		for i, doubt := range []string{"4s later", "4.1s later", ""} { // another number is not news
			p.set(func() { p.doubt = doubt })
			time.Sleep(11 * time.Second)
			if got, want := strings.ReplaceAll(p.reports(), "losses", ""), []string{"warning|health", "", "health"}[i]; strings.Trim(got, "|") != want {
				t.Errorf("%q: want %q, got %q", doubt, want, got)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := &parts{wait: 10 * time.Second, format: "influx"}
		p.start(t, nil)
		if got := p.reports(); got != "warning|losses|health" {
			t.Errorf("with a format that needs the time: %s", got)
		}
		time.Sleep(11 * time.Second)
		if got := p.reports(); strings.Contains(got, "warning") {
			t.Errorf("it waits on: %s", got)
		}
	})
}

func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{known: true, closed: true}
		p.start(t, nil)
		p.reports()
		time.Sleep(2 * time.Second)
		p.set(func() { p.degraded = errors.New("no space left") })
		time.Sleep(time.Second)
		if got := p.reports(); got != "store degraded no space left|health" {
			t.Errorf("a store that does not commit: %s", got)
		}
		p.set(func() { p.degraded, p.closed = nil, false })
		time.Sleep(1100 * time.Millisecond)
		if got := p.reports(); got != "keep|restart|store ok |health" {
			t.Errorf("a store that can be opened: %s", got)
		}
	})
}

// What systemctl shows is at most five seconds old, and not sent more often.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{known: true}
		h := p.start(t, nil)
		time.Sleep(time.Minute + time.Millisecond)
		h.Wake()
		synctest.Wait()
		if p.statuses != 13 {
			t.Errorf("%d times in a minute", p.statuses)
		}
	})
}

// A fault of the ledger is logged once, not every five seconds.
func TestLossLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &parts{known: true, trips: errors.New("full")}
		p.start(t, nil)
		time.Sleep(21 * time.Second)
		if got := p.reports(); strings.Count(got, "losses") != 5 || strings.Count(got, "warning") != 1 {
			t.Errorf("%s", got)
		}
	})
}

func TestSensorsAndSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hangup := &parts{known: true}, make(chan os.Signal)
		h := p.start(t, hangup)
		time.Sleep(2500 * time.Millisecond)
		p.reports()
		h.SensorChanged(sampling.State{Sensor: "a", Condition: sampling.Failing})
		h.SensorChanged(sampling.State{Sensor: "a", Condition: sampling.OK})
		h.SensorChanged(sampling.State{Sensor: "b", Condition: sampling.Missing})
		if got := p.reports(); got != "health" {
			t.Errorf("a change: %s", got)
		}
		time.Sleep(time.Second)
		got := strings.Split(p.reports(), "|")
		slices.Sort(got)
		if want := []string{"sensor a ok", "sensor b missing"}; !slices.Equal(got, want) {
			t.Errorf("want %q, got %q", want, got)
		}
		hangup <- syscall.SIGHUP
		if got := p.reports(); got != "reload|health" { // the last change was health less than a second before
			t.Errorf("a signal: %s", got)
		}
	})
}
