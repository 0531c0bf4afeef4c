package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

type rig struct {
	t         *testing.T
	path      string
	store     *buffer.Store
	shadow    *Shadow
	base      Settings
	limits    Limits
	applied   Settings
	published []contract.Reported
	log       strings.Builder
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "q.db"),
		base: Settings{LogLevel: "info", HealthEvery: time.Minute, Sensors: map[string]sampling.Settings{
			"hall": {Every: 10 * time.Second, Enabled: true, Deadband: map[string]float64{"temperature": 0.1}}, "pump": {Every: time.Second, Enabled: true}}},
		limits: Limits{Allow: []string{"sensors.every", "sensors.enabled", "sensors.deadband", "gateway.log_level", "gateway.health_every"},
			EveryMin: 100 * time.Millisecond, EveryMax: time.Hour, Fields: map[string][]string{"hall": {"temperature", "humidity"}}}}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.store, err = buffer.Open(r.t.Context(), r.path, buffer.Options{Machine: "m", KernelBoot: "k", Up: func() time.Duration { return time.Hour }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.shadow, err = New(r.t.Context(), Config{Base: r.base, Limits: r.limits, Store: r.store,
		Now: func() (time.Time, bool) { return time.Unix(1e9, 0), true }, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
		Apply:   func(s Settings) { r.applied = s },
		Publish: func(d contract.Reported, _ map[string]string) { r.published = append(r.published, d) }})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.store.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) desired(text string) {
	r.t.Helper()
	if err := r.shadow.Desired(r.t.Context(), []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// reported returns the newest reported document: "version/desired", hall's interval, rejected
// paths.
func (r *rig) reported() string {
	d := r.published[len(r.published)-1]
	return fmt.Sprintf("%d/%d %s %v", d.Version, d.DesiredVersion, d.State.Sensors["hall"].Every, slices.Sorted(maps.Keys(d.Rejected)))
}

func (r *rig) want(want string) {
	r.t.Helper()
	if got := r.reported(); got != want {
		r.t.Errorf("want %q, got %q", want, got)
	}
}

func TestDesiredWinsOverTheFileUntilItIsCleared(t *testing.T) {
	r := newRig(t)
	r.want("1/0 10s []")
	r.desired(`{"version":4,"state":{"sensors":{"hall":{"every":"5s","deadband":{"temperature":0.5}}}}}`)
	r.want("2/4 5s []")
	if s := r.applied.Sensors["hall"]; s.Every != 5*time.Second || s.Deadband["temperature"] != 0.5 || !s.Enabled {
		t.Errorf("applied %+v", s)
	}
	for i, old := range []string{`{"version":4,"state":{"sensors":{"hall":{"every":"1s"}}}}`, `{"version":3,"state":{}}`, `not JSON`} {
		r.desired(old)
		r.want(fmt.Sprintf("%d/4 5s [document]", 3+i))
	}
	r.desired(`{"version":4, "state":{"sensors":{"hall":{"every":"5s","deadband":{"temperature":0.5}}}}}`) // as it comes with every connection
	r.want("6/4 5s []")
	// It survives a restart, also one with another file; what the document does not name comes from
	// the file.
	r.close()
	r.base.Sensors["hall"] = sampling.Settings{Every: 30 * time.Second, Enabled: false}
	r.open()
	r.want("7/4 5s []")
	if r.applied.Sensors["hall"].Enabled {
		t.Error("a setting that only the file has is not the file's")
	}
	if _, origins := r.shadow.Reported(); origins["sensors.hall.every"] != "shadow" || origins["sensors.hall.enabled"] != "" {
		t.Errorf("origins: %v", origins)
	}
	// The document is whole: what a newer one does not name is the file's again.
	r.desired(`{"version":5,"state":{"gateway":{"log_level":"debug"}}}`)
	r.want("8/5 30s []")
	if r.applied.LogLevel != "debug" {
		t.Errorf("log level %q", r.applied.LogLevel)
	}
	r.desired("")
	r.want("9/0 30s []")
	if r.applied.LogLevel != "info" {
		t.Errorf("cleared: log level %q", r.applied.LogLevel)
	}
	r.close()
	r.open()
	r.want("9/0 30s []") // nothing changed: nothing counts
	r.close()
}

func TestWhatIsRefusedStandsInRejected(t *testing.T) {
	for _, tt := range []struct{ name, state, path, says string }{
		{"no object", `7`, "state", "must be an object"},
		{"unknown part", `{"mqtt":{}}`, "mqtt", "knows sensors and gateway"},
		{"unknown sensor", `{"sensors":{"cellar":{"every":"1s"}}}`, "sensors.cellar", "no such sensor"},
		{"unknown setting", `{"sensors":{"hall":{"evry":"1s"}}}`, "sensors.hall.evry", "no such setting"},
		{"too often", `{"sensors":{"hall":{"every":"1ms"}}}`, "sensors.hall.every", "from 100ms to 1h0m0s"},
		{"no duration", `{"sensors":{"hall":{"every":5}}}`, "sensors.hall.every", "such as"},
		{"null", `{"sensors":{"hall":{"enabled":null}}}`, "sensors.hall.enabled", "true or false"},
		{"deadband of an unknown field", `{"sensors":{"hall":{"deadband":{"temp":1}}}}`, "sensors.hall.deadband.temp", "temperature, humidity"},
		{"negative deadband", `{"sensors":{"hall":{"deadband":{"humidity":-1}}}}`, "sensors.hall.deadband.humidity", "not negative"},
		{"log level", `{"gateway":{"log_level":"loud"}}`, "gateway.log_level", "debug, info"},
		{"health too often", `{"gateway":{"health_every":"1ms"}}`, "gateway.health_every", "from 1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			r.desired(`{"version":1,"state":` + tt.state + `}`)
			rejected := r.published[len(r.published)-1].Rejected
			if len(rejected) != 1 || !strings.Contains(rejected[tt.path], tt.says) {
				t.Errorf("want %s: …%s…, got %v", tt.path, tt.says, rejected)
			}
			if r.applied.Sensors["hall"].Every != 10*time.Second || r.applied.LogLevel != "info" || !r.applied.Sensors["hall"].Enabled {
				t.Errorf("a refused setting was applied: %+v", r.applied)
			}
		})
	}
	t.Run("OK the rest of the document is applied", func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.limits.Allow = nil
		r.desired(`{"version":1,"state":{"sensors":{"hall":{"every":"2s","x":1},"pump":{"enabled":false}}}}`)
		r.want("2/1 2s [sensors.hall.x]")
		if r.applied.Sensors["pump"].Enabled {
			t.Error("pump is still enabled")
		}
	})
	t.Run("not allowed by the configuration", func(t *testing.T) {
		r := newRig(t)
		r.close()
		r.limits.Allow = []string{"sensors.enabled"}
		r.open()
		defer r.close()
		r.desired(`{"version":1,"state":{"sensors":{"hall":{"every":"2s","deadband":{"temperature":1}}},"gateway":{"log_level":"warn","health_every":"2m"}}}`)
		r.want("2/1 10s [gateway.health_every gateway.log_level sensors.hall.deadband sensors.hall.every]")
	})
}

// A wish that is not granted is answered: by an entry in rejected and a line in the log.
func TestNoWishVanishes(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"no JSON", `every: 5s`, "not a JSON object"},
		{"no object", `[1]`, "not a JSON object"},
		{"no version", `{"state":{}}`, "it has no version"},
		{"AWS form", `{"version":7,"state":{"desired":{"sensors":{}}}}`, "form of AWS IoT"},
		{"version of the wrong type", `{"version":"7","state":{}}`, "it must be"},
		{"same version", `{"version":4,"state":{"gateway":{}}}`, "version 4 is not above 4"},
		{"lower version", `{"version":3,"state":{}}`, "version 3 is not above 4"},
		{"too large", `{"version":7,"state":{"x":"` + strings.Repeat("x", MaxDocument) + `"}}`, "at most 65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			r.log.Reset()
			r.desired(`{"version":4,"state":{"sensors":{"hall":{"every":"5s"}}}}`)
			r.desired(tt.text)
			d := r.published[len(r.published)-1]
			if d.DesiredVersion != 4 || d.State.Sensors["hall"].Every != "5s" || len(d.Rejected) != 1 || !strings.Contains(d.Rejected["document"], tt.says) || len(d.Rejected["document"]) > 128 {
				t.Errorf("got %+v", d)
			}
			if !strings.Contains(r.log.String(), "level=WARN") {
				t.Errorf("the log says %s", r.log.String())
			}
			r.desired(`{"version":5,"state":{}}`)
			if d := r.published[len(r.published)-1]; len(d.Rejected) != 0 || d.DesiredVersion != 5 {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// What a peer sends decides little of what is reported.
func TestRejectedIsBounded(t *testing.T) {
	r := newRig(t)
	defer r.close()
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, `,"%d":{}`, i)
	}
	r.desired(`{"version":1,"state":{"sensors":{"` + strings.Repeat("ü", 500) + `":{}` + b.String() + `}}}`)
	d := r.published[len(r.published)-1]
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Rejected) != 51 || d.Rejected["…"] != "and 1951 more" || len(text) > 51*300 {
		t.Errorf("%d paths, %q, %d bytes", len(d.Rejected), d.Rejected["…"], len(text))
	}
	for path, why := range d.Rejected {
		if len(path) > 128 || len(why) > 128 {
			t.Errorf("%q: %q", path, why)
		}
	}
}

// TestBackFromAPlatform: the version of a wish that a platform had says nothing against a desired
// document of the contract's form, also after a restart.
func TestBackFromAPlatform(t *testing.T) {
	r := newRig(t)
	r.desired(`{"version":5,"state":{"sensors":{"hall":{"every":"5s"}}}}`)
	if err := r.shadow.Adopt(t.Context(), contract.Desired{Version: 300, State: json.RawMessage(`{"sensors":{"hall":{"every":"7s"}}}`)}); err != nil {
		t.Fatal(err)
	}
	r.want("3/300 7s []")
	r.close()
	r.open()
	r.desired(`{"version":5,"state":{"sensors":{"hall":{"every":"5s"}}}}`) // still retained
	r.want("4/5 5s []")
	r.desired(`{"version":4,"state":{}}`)
	if d := r.published[len(r.published)-1]; d.Rejected["document"] == "" || r.applied.Sensors["hall"].Every != 5*time.Second {
		t.Errorf("version 4 after 5: %+v", d)
	}
	r.close()
}
