package shadow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// Settings are what a shadow can change.
type Settings struct {
	Sensors     map[string]Sensor
	LogLevel    string
	HealthEvery time.Duration
}

// Sensor is the settings of one sensor.
type Sensor struct {
	Every    time.Duration
	Enabled  bool
	Deadband map[string]float64 // of fields that have one
}

// Limits say what a desired document may do.
type Limits struct {
	Allow              []string // of config.ShadowKeys
	EveryMin, EveryMax time.Duration
	Fields             map[string][]string // the numeric fields of every sensor: those that can have a deadband
}

// Config is what a Shadow is made of.
type Config struct {
	Base   Settings // the configuration's
	Limits Limits
	Store  *buffer.Store
	Now    func() (time.Time, bool)
	// Apply puts settings in force. It is called by New's caller's goroutine for the first time and then by Desired's.
	Apply func(Settings)
	// Publish makes a reported document known.
	Publish func([]byte)
	Log     *slog.Logger
}

const bucket = "shadow"

// kept is what the store keeps.
type kept struct {
	Desired  contract.Desired
	Reported contract.Reported
}

// A Shadow keeps desired and reported together.
type Shadow struct {
	Config
	mu      sync.Mutex
	kept    kept
	origins map[string]string // path -> "shadow", for what does not come from the file
}

// New reads what the store kept, puts the settings in force that follow from it and the configuration, and publishes the
// reported document.
func New(ctx context.Context, c Config) (*Shadow, error) {
	s := &Shadow{Config: c}
	text, err := c.Store.Get(ctx, bucket, "documents")
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	if text != nil {
		if err := json.Unmarshal(text, &s.kept); err != nil {
			return nil, fmt.Errorf("shadow: the stored documents: %w", err)
		}
	}
	return s, s.adopt(ctx, s.kept.Desired)
}

// Desired takes a desired document in. When it returns nil the document was applied, ignored or, where it cannot be
// read, told so in the log; an error is the store's, and the broker must deliver it again.
func (s *Shadow) Desired(ctx context.Context, payload []byte) error {
	var d contract.Desired
	if len(bytes.TrimSpace(payload)) > 0 {
		if err := json.Unmarshal(payload, &d); err != nil {
			s.Log.Warn(`desired shadow ignored: it must be {"version":…,"state":{…}}`, "err", err)
			return nil
		}
		s.mu.Lock()
		have := s.kept.Desired.Version
		s.mu.Unlock()
		if d.Version <= have {
			s.Log.Debug("desired shadow ignored: not newer", "version", d.Version, "have", have)
			return nil
		}
	}
	return s.adopt(ctx, d)
}

// adopt makes d the desired document.
func (s *Shadow) adopt(ctx context.Context, d contract.Desired) error {
	settings, origins, rejected := overlay(s.Base, s.Limits, d.State)
	s.mu.Lock()
	next := kept{Desired: d, Reported: contract.Reported{
		V: contract.Version, Version: s.kept.Reported.Version, DesiredVersion: d.Version,
		State: stateOf(settings), Rejected: rejected, TS: s.kept.Reported.TS,
	}}
	before := s.kept
	s.mu.Unlock()
	changed := !same(next.Reported, before.Reported)
	if changed {
		next.Reported.Version++
		t, _ := s.Now()
		next.Reported.TS = contract.Time{Time: t}
	}
	if changed || d.Version != before.Desired.Version || !bytes.Equal(d.State, before.Desired.State) {
		text, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("shadow: %w", err)
		}
		if err := s.Store.Update(ctx, func(tx *buffer.Tx) error { return tx.Put(bucket, "documents", text) }); errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil {
			return fmt.Errorf("shadow: keeping version %d: %w", d.Version, err) // stopping: the broker delivers it to the next start
		} else if err != nil {
			// A broken disk must not cost the connection: the settings hold until the program ends, and the retained document
			// comes again.
			s.Log.Warn("the shadow is in force but cannot be kept", "desired", d.Version, "err", err)
		}
		s.Log.Info("shadow applied", "desired", d.Version, "reported", next.Reported.Version, "rejected", len(rejected))
	}
	s.mu.Lock()
	s.kept, s.origins = next, origins
	s.mu.Unlock()
	s.Apply(settings)
	text, err := json.Marshal(next.Reported)
	if err != nil {
		return fmt.Errorf("shadow: %w", err)
	}
	s.Publish(text)
	return nil
}

// Reported returns the reported document, and which of its settings come from the shadow ("sensors.hall.every"); all
// others come from the configuration.
func (s *Shadow) Reported() (contract.Reported, map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Reported, maps.Clone(s.origins)
}

func stateOf(s Settings) contract.State {
	state := contract.State{Sensors: map[string]contract.SensorState{},
		Gateway: contract.GatewayState{LogLevel: s.LogLevel, HealthEvery: s.HealthEvery.String()}}
	for name, v := range s.Sensors {
		state.Sensors[name] = contract.SensorState{Every: v.Every.String(), Enabled: v.Enabled, Deadband: v.Deadband}
	}
	return state
}

// same tells whether two documents say the same apart from version and time.
func same(a, b contract.Reported) bool {
	a.Version, a.TS, b.Version, b.TS = 0, contract.Time{}, 0, contract.Time{}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
