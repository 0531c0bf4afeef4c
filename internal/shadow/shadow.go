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
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Settings are what a shadow can change.
type Settings struct {
	Sensors     map[string]sampling.Settings
	LogLevel    string
	HealthEvery time.Duration
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
	// Apply puts settings in force. It is called by New's caller's goroutine for the first time and
	// then by Desired's.
	Apply func(Settings)
	// Publish makes a reported document known, and which of its settings come from the shadow.
	Publish func(r contract.Reported, origins map[string]string)
	Log     *slog.Logger
}

const bucket = "shadow"

// kept is what the store keeps.
type kept struct {
	Desired  contract.Desired
	Adopted  bool `json:",omitempty"` // Desired came by Adopt: its version is not of the contract's count
	Reported contract.Reported
}

// A Shadow keeps desired and reported together.
type Shadow struct {
	cfg     Config
	mu      sync.Mutex
	kept    kept
	origins map[string]string // path -> "shadow", for what does not come from the file
}

// New reads what the store kept, puts the settings in force that follow from it and the
// configuration, and publishes the reported document.
func New(ctx context.Context, c Config) (*Shadow, error) {
	s := &Shadow{cfg: c}
	text, err := c.Store.Get(ctx, bucket, "documents")
	if errors.Is(err, buffer.ErrNotDurable) {
		c.Log.Warn("the shadow's settings cannot be read: the configuration applies until the store can be opened", "err", err)
	} else if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	if text != nil {
		if err := json.Unmarshal(text, &s.kept); err != nil {
			return nil, fmt.Errorf("shadow: the stored documents: %w", err)
		}
	}
	return s, s.adopt(ctx, s.kept.Desired, s.kept.Adopted, "")
}

// Desired takes a desired document in. When it returns nil the document was applied, or was
// ignored, which the log and the reported document say; an error is the store's, and the broker
// must deliver it again.
func (s *Shadow) Desired(ctx context.Context, payload []byte) error {
	var d contract.Desired
	if len(bytes.TrimSpace(payload)) == 0 {
		return s.adopt(ctx, d, false, "")
	}
	s.mu.Lock()
	have, adopted := s.kept.Desired, s.kept.Adopted
	s.mu.Unlock()
	if why := read(payload, &d); why != "" {
		return s.ignore(ctx, payload, why)
	}
	same := d.Version == have.Version && bytes.Equal(compact(d.State), compact(have.State)) // it comes with every connection
	if d.Version <= have.Version && !same && !adopted {
		return s.ignore(ctx, payload, fmt.Sprintf("version %d is not above %d, the version in force: raise it with every change", d.Version, have.Version))
	}
	return s.adopt(ctx, d, false, "")
}

// Adopt makes a document the wish, whatever its version: the platform's order is known otherwise.
// It does nothing if the state is that of the wish in force. An error is the store's.
func (s *Shadow) Adopt(ctx context.Context, d contract.Desired) error {
	s.mu.Lock()
	same := bytes.Equal(compact(d.State), compact(s.kept.Desired.State))
	s.mu.Unlock()
	if same {
		return nil
	}
	return s.adopt(ctx, d, true, "")
}

// MaxDocument is the size of a desired document, in bytes, beyond which it is refused.
const MaxDocument = 64 << 10

// read decodes a desired document. It returns why it cannot be taken, or "".
func read(payload []byte, d *contract.Desired) string {
	if len(payload) > MaxDocument {
		return fmt.Sprintf("it has %d bytes, at most %d", len(payload), MaxDocument)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return `it is not a JSON object: it must be {"version":1,"state":{…}}`
	}
	if state := (map[string]json.RawMessage{}); json.Unmarshal(members["state"], &state) == nil && state["desired"] != nil {
		return `it has the form of AWS IoT, {"state":{"desired":{…}}}: it must be {"version":1,"state":{…}}`
	}
	if members["version"] == nil {
		return `it has no version: it must be {"version":1,"state":{…}}, with a version that rises`
	}
	if err := json.Unmarshal(payload, d); err != nil {
		return cut(fmt.Sprintf(`it must be {"version":1,"state":{…}}: %v`, err))
	}
	return ""
}

// whole is the path in reported.rejected of a document that was ignored as a whole.
const whole = "document"

// ignore says that a desired document is not taken; what is in force stays. The entry goes with the
// next one that is taken.
func (s *Shadow) ignore(ctx context.Context, payload []byte, why string) error {
	s.cfg.Log.Warn("desired shadow ignored", "why", why, "bytes", len(payload))
	s.mu.Lock()
	d, adopted := s.kept.Desired, s.kept.Adopted
	s.mu.Unlock()
	return s.adopt(ctx, d, adopted, why)
}

// compact returns a JSON value without white space.
func compact(v json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// adopt makes d the desired document, which came by Adopt or by Desired. ignored is why a newer one
// was not taken, or "".
func (s *Shadow) adopt(ctx context.Context, d contract.Desired, adopted bool, ignored string) error {
	settings, origins, rejected := overlay(s.cfg.Base, s.cfg.Limits, d.State)
	s.mu.Lock()
	if ignored != "" {
		rejected[whole] = cut(ignored)
	}
	next := kept{Desired: d, Adopted: adopted, Reported: contract.Reported{
		V: contract.Version, Version: s.kept.Reported.Version, DesiredVersion: d.Version,
		State: stateOf(settings), Rejected: rejected, TS: s.kept.Reported.TS,
	}}
	before := s.kept
	s.mu.Unlock()
	changed := !same(next.Reported, before.Reported)
	if changed {
		next.Reported.Version++
		t, _ := s.cfg.Now()
		next.Reported.TS = contract.Time{Time: t}
	}
	if changed || adopted != before.Adopted || d.Version != before.Desired.Version || !bytes.Equal(d.State, before.Desired.State) {
		text, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("shadow: %w", err)
		}
		if err := s.cfg.Store.Put(ctx, bucket, "documents", text); errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil {
			return fmt.Errorf("shadow: keeping version %d: %w", d.Version, err) // stopping: the broker delivers it to the next start
		} else if err != nil {
			// A broken disk must not cost the connection: the settings hold until the program ends,
			// and the retained document comes again.
			s.cfg.Log.Warn("the shadow is in force but cannot be stored", "desired", d.Version, "err", err)
		}
		s.cfg.Log.Info("shadow applied", "desired", d.Version, "reported", next.Reported.Version, "rejected", len(rejected))
	}
	s.mu.Lock()
	s.kept, s.origins = next, origins
	s.mu.Unlock()
	s.cfg.Apply(settings)
	s.cfg.Publish(next.Reported, origins)
	return nil
}

// Reported returns the reported document, and which of its settings come from the shadow
// ("sensors.hall.every"); all others come from the configuration.
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

// same reports whether two documents say the same apart from version and time.
func same(a, b contract.Reported) bool {
	a.Version, a.TS, b.Version, b.TS = 0, contract.Time{}, 0, contract.Time{}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
