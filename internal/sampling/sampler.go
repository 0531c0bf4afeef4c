package sampling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A Sink takes a reading measured at up (the time since power-up). values are its own only during
// the call. It blocks as long as it must, but not beyond ctx. An error means that the reading is
// lost.
type Sink func(ctx context.Context, sensor string, up time.Duration, values []drivers.Value) error

// Settings are what may change while a sensor is being sampled.
type Settings struct {
	// the interval; 0 reads without pause, for devices that speak by themselves
	Every   time.Duration
	Enabled bool
	// by field, in the place of the configured deadbands; not to be changed afterwards
	Deadband map[string]float64
}

// A Config describes one sensor.
type Config struct {
	Name     string
	Bus      string // for messages; "" if the driver has none
	Settings Settings
	// Timeout bounds a reading, from when it is the sensor's turn on the bus. 0 is the interval,
	// but at least 2 s and at most 30 s.
	Timeout time.Duration
	// FrozenAfter is after how long without a change in any field, before the filter, the sensor is
	// Frozen; its readings go to the sink all the same. 0 is never, which is right for what may
	// well stay as it is: a door, a meter at night.
	FrozenAfter time.Duration
	// Open opens the sensor's driver. It is not called again before the driver was closed.
	Open     func(ctx context.Context) (drivers.Driver, error)
	Fields   map[string]config.FieldFilter
	Computed []config.Computed
}

// Deps are what a Sampler uses of the program around it.
type Deps struct {
	Sink Sink
	// OnReading is given each reading as the filter left it, kept or not, before the Sink. It must
	// not block long or keep the values. nil is nobody.
	OnReading func(up time.Duration, values []drivers.Value)
	Up        func() time.Duration // since power-up (CLOCK_BOOTTIME)
	Wall      func() time.Time     // for the alignment of the schedule only
	// shared by the sensors of a bus; nil for a sensor that has its bus for itself
	BusLock *BusLock
	// OnState is called when the condition or the kind of its error changes, or the sink begins or
	// ceases to refuse readings; of a sensor that flaps once a minute. It must not block.
	OnState func(State) // nil is nobody
	// Beat is called by Run before it waits, with how long that is at most: it calls again then. It
	// must not block. nil is nobody.
	Beat   func(wait time.Duration)
	Log    *slog.Logger   // nil is nowhere
	Random func() float64 // from 0 to 1, to vary back-off; nil is the program's
}

const (
	minTimeout  = 2 * time.Second
	maxTimeout  = 30 * time.Second
	openTimeout = 30 * time.Second
	// what a driver has to return in after its deadline: one bus transaction, on a bus that is
	// stuck
	grace = 2 * time.Second
)

// A Sampler samples one sensor. Its methods are safe for concurrent use.
type Sampler struct {
	config Config
	deps   Deps

	requests chan request
	changed  chan struct{} // settings were put
	stopped  chan struct{} // Run has returned

	mu       sync.Mutex
	settings Settings
	state    State
}

// A request is one ReadNow or Write on its way to Run.
type request struct {
	ctx   context.Context
	write []drivers.Value // of a Write
	reply chan<- outcome  // has room
}

// New returns the sampler of a sensor. It does nothing before Run.
func New(config Config, deps Deps) *Sampler {
	if deps.OnState == nil {
		deps.OnState = func(State) {}
	}
	if deps.Beat == nil {
		deps.Beat = func(time.Duration) {}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Random == nil {
		deps.Random = rand.Float64
	}
	return &Sampler{
		config:   config,
		deps:     deps,
		requests: make(chan request),
		changed:  make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		settings: config.Settings,
		state:    State{Sensor: config.Name, Condition: Starting, Since: deps.Up()},
	}
}

// Apply changes the settings. The schedule is aligned again, also when Every stayed the same, and
// back-off ends. It does not wait for a reading that is being made.
func (s *Sampler) Apply(settings Settings) {
	s.mu.Lock()
	s.settings = settings
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // Run has not looked yet and will see these
	}
}

// State returns the state of the sensor.
func (s *Sampler) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ReadNow measures once more, between the scheduled readings, also while the sensor is backing off.
// The values were scaled and checked, but neither averaged nor dropped, and do not go to the sink.
// It fails while the sensor is disabled or a call of its driver does not return, and after Run has
// ended.
func (s *Sampler) ReadNow(ctx context.Context) ([]drivers.Value, error) { return s.ask(ctx, nil) }

// ask has Run do a request between the scheduled readings.
func (s *Sampler) ask(ctx context.Context, write []drivers.Value) ([]drivers.Value, error) {
	reply := make(chan outcome, 1)
	select {
	case s.requests <- request{ctx, write, reply}:
	case <-s.stopped:
		return nil, fmt.Errorf("sensor %s is no longer sampled", s.config.Name)
	case <-ctx.Done():
		return nil, fmt.Errorf("sensor %s is busy: %w", s.config.Name, ctx.Err())
	}
	o := <-reply // Run answers within the deadline of a reading
	if err := cmp.Or(o.writeErr, o.err); err != nil {
		return nil, fmt.Errorf("sensor %s: %w", s.config.Name, err)
	}
	return o.values, nil
}

var errDisabled = errors.New("it is disabled; enable it in the configuration or the shadow")
