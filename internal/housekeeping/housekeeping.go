// Package housekeeping does what time brings while a gateway runs: it learns the time, publishes
// the loss ledger, health and changes of sensors and store, reports the state to systemd, asks for
// a restart when a store that could not be opened can be, and for a reload when a signal asks for
// it. What each of these is belongs to the part that it asks; here is only when.
//
// Run is one goroutine, waited for by its starter. SensorChanged, SetHealthEvery and Wake may be
// called from any goroutine and do not block.
package housekeeping

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

const (
	tick      = time.Second
	lossEvery = 5 * time.Second // ranges are merged before they are published
	// how old what systemctl shows may be: it has the number of readings that wait, and systemd
	// sends its bus a signal for each change
	statusEvery = 5 * time.Second
)

// Clock is what the housekeeper needs of the clock.
type Clock interface {
	Up() time.Duration
	Now() (time.Time, bool)
	Boot() string
	Time(kernelBoot string, up time.Duration) (time.Time, bool)
	Learn() (learned bool, err error)
	Keep() error
	Wait() time.Duration
	Pending() bool
	State() string
	Doubt() string
	Format() string
	Origin() (source string, uncertainty time.Duration)
}

// Store is what the housekeeper needs of the store.
type Store interface {
	IsOpen() bool
	Opened() buffer.Opened
	Stats() buffer.Stats
	Run() string
	Runs(ctx context.Context, kernelBoot string) ([]string, error)
}

// Journal takes events.
type Journal interface {
	Add(kind string, fields any)
	// Losses queues what the loss ledger has not reported yet.
	Losses(ctx context.Context) error
}

// Config is what a Housekeeper is made of.
type Config struct {
	Clock   Clock
	Store   Store
	Journal Journal
	Beat    func(wait time.Duration) // is called each second by Run, which waits for so long
	Learned func()                   // is called when the time has become known
	Health  func()                   // publishes health
	Status  func()                   // reports the state to systemd
	Tick    func()                   // is called each second, for what others collect
	Restart func()                   // asks for a start with the store that could not be opened before
	Reload  func() error             // is called for each Hangup; it logs its error
	Hangup  <-chan os.Signal
	Stuck   <-chan struct{} // a part is stuck, or is not any more
	Log     *slog.Logger
}

// A Housekeeper is made by New.
type Housekeeper struct {
	cfg         Config
	healthEvery atomic.Int64 // nanoseconds
	wake        chan struct{}

	mu      sync.Mutex
	changed map[string]sampling.State // sensors whose state is not published yet

	// The rest is Run's.
	pace     health.Pace
	known    bool // the time
	waits    bool // readings wait for the time
	doubted  bool // the kernel's clock says otherwise
	open     bool // the store
	degraded bool
	opened   buffer.Opened
	lossAt   time.Duration
	statusAt time.Duration
	trouble  string // why the loss ledger could not be published
}

// New makes a housekeeper.
func New(c Config) *Housekeeper {
	return &Housekeeper{cfg: c, wake: make(chan struct{}, 1), changed: map[string]sampling.State{}}
}

// SetHealthEvery sets the interval of health.
func (h *Housekeeper) SetHealthEvery(d time.Duration) { h.healthEvery.Store(int64(d)) }

// Wake has health published at once: a state changed.
func (h *Housekeeper) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// SensorChanged notes that a sensor came into another state.
func (h *Housekeeper) SensorChanged(s sampling.State) {
	h.mu.Lock()
	h.changed[s.Sensor] = s
	h.mu.Unlock()
	h.Wake()
}

// Run works until ctx ends.
func (h *Housekeeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	h.begin()
	for {
		h.cfg.Beat(0)
		h.checkClock()
		h.publishLosses(ctx)
		h.checkStore()
		if h.pace.Due(h.cfg.Clock.Up(), time.Duration(h.healthEvery.Load())) {
			h.cfg.Health()
		}
		h.reportStatus()
		h.cfg.Beat(tick)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			h.publishSensors()
			h.cfg.Tick()
		case <-h.wake:
			h.pace.Hasten()
		case <-h.cfg.Stuck:
			h.pace.Hasten()
		case <-h.cfg.Hangup:
			_ = h.cfg.Reload()
		}
	}
}

func (h *Housekeeper) begin() {
	_, h.known = h.cfg.Clock.Now()
	h.open = h.cfg.Store.IsOpen()
	if format := h.cfg.Clock.Format(); format != "" && !h.known {
		h.cfg.Log.Warn("readings are not sent yet: the clock is not set, and the format needs the time", "format", format,
			"ends", "when NTP sets the clock or gateway.time_from gives the time; with gateway.trust_clock = true at once")
		return
	}
	if h.waits = h.cfg.Clock.Pending(); h.waits {
		h.cfg.Log.Info("nothing is sent yet: the clock is not set", "wait", h.cfg.Clock.Wait().Round(time.Second),
			"ends", "when NTP sets the clock or gateway.time_from gives the time, or after gateway.wait_for_clock; with gateway.trust_clock = true at once")
	}
}

// checkClock learns the time, and notes when readings stop waiting for it.
func (h *Housekeeper) checkClock() {
	if !h.known {
		if h.Learn() {
			h.cfg.Learned()
		}
		_, h.known = h.cfg.Clock.Now()
	}
	if doubt := h.cfg.Clock.Doubt(); (doubt != "") != h.doubted {
		if h.doubted = doubt != ""; h.doubted {
			h.cfg.Log.Warn("the time of this power-up is in doubt", "why", doubt)
		}
		h.pace.Hasten()
	}
	if h.waits && !h.cfg.Clock.Pending() {
		if h.waits = false; !h.known {
			h.cfg.Log.Warn("readings are sent without a time: the clock was not set within gateway.wait_for_clock")
		}
	}
}

// Learn asks whether the time has become known just now, and queues the event. Before Run it may be
// called by one goroutine.
func (h *Housekeeper) Learn() bool {
	c := h.cfg.Clock
	learned, err := c.Learn()
	if errors.Is(err, clock.ErrBehind) || errors.Is(err, clock.ErrWrong) {
		h.cfg.Log.Warn("the time is not known", "err", err)
	} else if err != nil {
		h.cfg.Log.Debug("clock", "err", err) // the store reports why
	}
	if learned {
		zero, _ := c.Time(c.Boot(), 0)
		h.cfg.Log.Info("the time is known", "clock", c.State(), "power_up", zero)
		source, uncertainty := c.Origin()
		h.cfg.Journal.Add(contract.EventClock, contract.ClockEvent{Zero: contract.Time{Time: zero}, Runs: h.runs(), Source: source, Uncertainty: uncertainty.Seconds()})
	}
	return learned
}

// runs returns the program's runs since power-up, or this one alone if the store cannot say.
func (h *Housekeeper) runs() []string {
	runs, err := h.cfg.Store.Runs(context.Background(), h.cfg.Clock.Boot())
	if err != nil || len(runs) == 0 {
		return []string{h.cfg.Store.Run()}
	}
	return runs
}

// reportStatus reports the state to systemd, every statusEvery.
func (h *Housekeeper) reportStatus() {
	if up := h.cfg.Clock.Up(); up >= h.statusAt {
		h.statusAt = up + statusEvery
		h.cfg.Status()
	}
}

// publishLosses queues what the loss ledger has not reported yet, every lossEvery.
func (h *Housekeeper) publishLosses(ctx context.Context) {
	up := h.cfg.Clock.Up()
	if up < h.lossAt {
		return
	}
	h.lossAt = up + lossEvery
	text := ""
	if err := h.cfg.Journal.Losses(ctx); err != nil {
		if text = err.Error(); text != h.trouble {
			h.cfg.Log.Warn("the loss ledger cannot be published", "err", err)
		}
	}
	h.trouble = text
}

// checkStore reports changes of the store's state. A store that could not be opened at the start,
// and now is, asks for a restart: shadow, commands and session begin again with what it keeps. What
// was measured meanwhile is stored by then, under this run.
func (h *Housekeeper) checkStore() {
	if !h.open && h.cfg.Store.IsOpen() {
		h.open = true
		if err := h.cfg.Clock.Keep(); err != nil {
			h.cfg.Log.Warn("the time of this power-up cannot be stored", "err", err)
		}
		h.cfg.Log.Info("the store can be opened: starting again with its content")
		h.cfg.Restart()
	}
	if err := h.cfg.Store.Stats().Degraded; (err != nil) != h.degraded {
		h.degraded = err != nil
		e := contract.StoreEvent{State: contract.StoreOK}
		if h.degraded {
			e = contract.StoreEvent{State: contract.StoreDegraded, Detail: err.Error()}
		}
		h.cfg.Journal.Add(contract.EventStore, e)
		h.pace.Hasten()
	}
	before := h.opened
	h.opened = h.cfg.Store.Opened()
	for _, e := range event.StoreEvents(before, h.opened) {
		h.cfg.Journal.Add(contract.EventStore, e)
	}
}

// publishSensors queues an event for every sensor whose state changed: only the newest of each
// second.
func (h *Housekeeper) publishSensors() {
	h.mu.Lock()
	changed := h.changed
	h.changed = map[string]sampling.State{}
	h.mu.Unlock()
	for _, s := range changed {
		h.cfg.Journal.Add(contract.EventSensor, contract.SensorEvent{Sensor: s.Sensor, State: string(s.Condition), Error: s.Trouble()})
	}
}
