package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

const (
	bucket    = "trial"
	could     = "could"      // an Ability: of the program that ended last
	told      = "taken-back" // the reason that an event has reported
	spent     = "spent"      // ID of the program on trial, and for how long it was in runs that ended in order
	lookEvery = time.Second
)

// An Ability is what a program has shown that it can do.
type Ability struct {
	Broker  bool     `json:"broker"`  // it has delivered to its broker
	Sensors []string `json:"sensors"` // those that it has read
}

// Store is what a Trial needs of the store.
type Store interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte) error
}

// Config is what a Trial is made of.
type Config struct {
	Files   *Files
	Version string
	Gateway *config.Config
	Store   Store
	Acked   func() bool // the broker has acknowledged something
	Online  func() bool // there is a connection, or there is meant to be none just now
	Sensors func() []sampling.State
	// Event queues an event.
	Event func(kind string, fields any)
	Log   *slog.Logger
}

// A Trial is made by New. Its methods are for one goroutine at a time.
type Trial struct {
	cfg   Config
	begun time.Time
	spent time.Duration // by the trial in earlier runs
	back  string        // why the former program runs
}

// New returns the trial of this program. A program that is not on trial has one as well: what it
// can do counts at the next upgrade.
func New(ctx context.Context, c Config) *Trial {
	t := &Trial{cfg: c, begun: time.Now(), back: os.Getenv(EnvTakenBack)}
	if t.back != "" {
		t.reportBack(ctx)
	}
	return t
}

// reportBack queues the event that the installed program was taken back, once for each reason.
func (t *Trial) reportBack(ctx context.Context) {
	t.cfg.Log.Warn("the former program runs instead of the installed one", "why", t.back, "remedy", remedy)
	if before, err := t.cfg.Store.Get(ctx, bucket, told); err == nil && string(before) == t.back {
		return
	}
	t.cfg.Event(contract.EventUpdate, contract.UpdateEvent{State: contract.UpdateTakenBack, Version: t.cfg.Version, Detail: t.back})
	if err := t.cfg.Store.Put(ctx, bucket, told, []byte(t.back)); err != nil {
		t.cfg.Log.Warn("the update event will be repeated at the next start", "err", err)
	}
}

const remedy = "install another version, or the same one again for another trial"

// Trouble says that the former program runs.
func (t *Trial) Trouble() []string {
	if t.back == "" {
		return nil
	}
	return []string{fmt.Sprintf("the installed program was taken back, and the former one runs: %s; %s", t.back, remedy)}
}

// Run judges the program. It returns nil when it is confirmed or ctx ends, and an error if the
// former program has to run instead: the caller stops in order.
func (t *Trial) Run(ctx context.Context) error {
	if t.cfg.Files == nil {
		return nil
	}
	want, err := t.wanted(ctx)
	if err != nil {
		return err
	}
	within := t.within(want)
	t.spent = t.spentBefore(ctx)
	t.cfg.Log.Info("on trial after an upgrade", "version", t.cfg.Version, "for", within, "broker", want.Broker, "sensors", len(want.Sensors))
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		missing := want.missing(t.shown())
		if missing == "" {
			return t.confirm()
		}
		if t.spent+time.Since(t.begun) >= within {
			return t.cfg.Files.Fail(fmt.Errorf("version %s has not %s within %s, and the former version could", t.cfg.Version, missing, config.DurationText(within)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// spentBefore returns how long the trial has lasted in earlier runs. Otherwise a board that is on
// for minutes at a time would never judge.
func (t *Trial) spentBefore(ctx context.Context) time.Duration {
	text, err := t.cfg.Store.Get(ctx, bucket, spent)
	if err != nil {
		return 0
	}
	id, rest, _ := strings.Cut(string(text), " ")
	d, err := time.ParseDuration(rest)
	if err != nil || id != t.cfg.Files.id {
		return 0
	}
	return d
}

// wanted returns what the former program could do, of the sensors that are still configured.
func (t *Trial) wanted(ctx context.Context) (want Ability, err error) {
	text, err := t.cfg.Store.Get(ctx, bucket, could)
	if err != nil {
		return want, fmt.Errorf("reading what the former program could do: %w", err)
	}
	if text != nil {
		if err := json.Unmarshal(text, &want); err != nil {
			return want, fmt.Errorf("reading what the former program could do: %w", err)
		}
	}
	want.Sensors = slices.DeleteFunc(want.Sensors, func(name string) bool { return t.sensor(name) == nil })
	return want, nil
}

func (t *Trial) sensor(name string) *config.Sensor {
	for i := range t.cfg.Gateway.Sensors {
		if s := &t.cfg.Gateway.Sensors[i]; s.Name == name {
			return s
		}
	}
	return nil
}

// within is how long the trial lasts: confirm_within, and longer if a sensor or the connection is
// due less often.
func (t *Trial) within(want Ability) time.Duration {
	var due time.Duration
	if want.Broker {
		due = time.Duration(t.cfg.Gateway.MQTT.Online)
	}
	for _, name := range want.Sensors {
		due = max(due, t.sensor(name).Every)
	}
	return max(t.cfg.Gateway.Gateway.ConfirmWithin, 2*due)
}

// missing says what is wanted and was not shown; "" if nothing is.
func (a Ability) missing(shown Ability) string {
	var list []string
	if a.Broker && !shown.Broker {
		list = append(list, "reached its broker")
	}
	var unread []string
	for _, name := range a.Sensors {
		if !slices.Contains(shown.Sensors, name) {
			unread = append(unread, name)
		}
	}
	if n := len(unread); n > 8 {
		unread = append(unread[:8], fmt.Sprintf("%d more", n-8))
	}
	if len(unread) > 0 {
		list = append(list, "read "+strings.Join(unread, ", "))
	}
	return strings.Join(list, ", nor ")
}

// shown is what the program has done since its start.
func (t *Trial) shown() (a Ability) {
	a.Broker = t.cfg.Acked()
	for _, s := range t.cfg.Sensors() {
		if s.Reads > 0 {
			a.Sensors = append(a.Sensors, s.Sensor)
		}
	}
	return a
}

// able is what the program can do just now.
func (t *Trial) able() (a Ability) {
	a.Broker = t.cfg.Acked() && t.cfg.Online()
	for _, s := range t.cfg.Sensors() {
		if s.Condition == sampling.OK {
			a.Sensors = append(a.Sensors, s.Sensor)
		}
	}
	return a
}

// and returns what a can do, and what b can.
func (a Ability) and(b Ability) Ability {
	sensors := slices.Concat(a.Sensors, b.Sensors)
	slices.Sort(sensors)
	return Ability{a.Broker || b.Broker, slices.Compact(sensors)}
}

func (t *Trial) confirm() error {
	if err := t.cfg.Files.Confirm(); err != nil {
		// It does what it should; the next start is on trial once more.
		t.cfg.Log.Warn("the program works, and is not confirmed", "err", err)
		return nil
	}
	t.cfg.Files = nil
	t.cfg.Log.Info("confirmed after an upgrade", "version", t.cfg.Version)
	t.cfg.Event(contract.EventUpdate, contract.UpdateEvent{State: contract.UpdateConfirmed, Version: t.cfg.Version})
	return nil
}

// End is for an orderly end, after Run has returned and before the connection ends: it keeps what
// the program can do just now for the judgement of the next one. The trial of a program that is
// still on trial goes on at its next start.
func (t *Trial) End(ctx context.Context) {
	if t.cfg.Files != nil {
		if err := t.cfg.Files.Ended(); err != nil {
			t.cfg.Log.Warn("this start counts as a failed one", "err", err)
		}
		lasted := t.spent + time.Since(t.begun)
		if err := t.cfg.Store.Put(ctx, bucket, spent, []byte(t.cfg.Files.id+" "+lasted.String())); err != nil {
			t.cfg.Log.Warn("the trial begins again at the next start", "err", err)
		}
		return
	}
	able := t.able()
	before, err := t.wanted(ctx)
	if err == nil && time.Since(t.begun) < t.within(before) {
		able = before.and(able) // it has not had the time to show what it cannot do
	}
	text, err := json.Marshal(able)
	if err == nil {
		err = t.cfg.Store.Put(ctx, bucket, could, text)
	}
	if err != nil {
		t.cfg.Log.Warn("what this program can do is not kept for the next upgrade", "err", err)
	}
}
