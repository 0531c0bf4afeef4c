package sampling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A fake is a driver that does what its function says.
type fake struct {
	read   func(ctx context.Context) ([]drivers.Value, error)
	closed func() error
}

func (f *fake) Read(ctx context.Context) ([]drivers.Value, error) { return f.read(ctx) }

func (f *fake) Close() error {
	if f.closed == nil {
		return nil
	}
	return f.closed()
}

// A bench runs one sampler in a synctest bubble and keeps what it did.
type bench struct {
	t      *testing.T
	start  time.Time // of the bubble, which is when the board was switched on
	step   time.Duration
	config Config
	deps   Deps
	opens  int

	mu     sync.Mutex
	got    []time.Duration // when readings reached the sink
	values [][]drivers.Value
	states []State
	log    logged
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newBench makes a bench for a sensor read every second, and the wall clock at 0.3 s after a whole
// one.
func newBench(t *testing.T, read func(ctx context.Context) ([]drivers.Value, error)) *bench {
	b := &bench{t: t, start: time.Now()}
	b.config = Config{
		Name: "s", Bus: "/dev/i2c-1", Settings: Settings{Every: time.Second, Enabled: true},
		Open: func(context.Context) (drivers.Driver, error) {
			b.opens++
			return &fake{read: read}, nil
		},
	}
	b.deps = Deps{
		Up:   b.up,
		Wall: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 3e8, time.UTC).Add(b.up() + b.step) },
		Sink: func(_ context.Context, sensor string, up time.Duration, values []drivers.Value) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.got = append(b.got, up)
			b.values = append(b.values, append([]drivers.Value(nil), values...))
			return nil
		},
		OnState: func(s State) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.states = append(b.states, s)
		},
		Log:    slog.New(slog.NewTextHandler(&b.log, nil)),
		Random: func() float64 { return 0.5 }, // back-off without variation
	}
	return b
}

func (b *bench) up() time.Duration { return time.Since(b.start) }

// sleep lets d pass, and everything happen that does by then.
func (b *bench) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// run runs a sampler and returns it with the function that stops it and returns Run's error.
func (b *bench) run() (*Sampler, func() error) {
	s := New(b.config, b.deps)
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() error {
		cancel()
		return <-done
	}
}

// runFor runs a sampler for d and returns its state at the end.
func (b *bench) runFor(d time.Duration) State {
	s, stop := b.run()
	b.sleep(d)
	state := s.State()
	if err := stop(); err != nil {
		b.t.Errorf("Run: want nil, got %v", err)
	}
	return state
}

// reported returns what OnState was given.
func (b *bench) reported() []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.states)
}

// conditions returns the history of the condition as one line.
func (b *bench) conditions() string {
	var words []string
	for _, s := range b.reported() {
		words = append(words, string(s.Condition))
	}
	return strings.Join(words, " ")
}

func (b *bench) wantTimes(want ...time.Duration) {
	b.t.Helper()
	if fmt.Sprint(b.got) != fmt.Sprint(want) {
		b.t.Errorf("readings: want %v, got %v", want, b.got)
	}
}

func one(v float64) []drivers.Value { return []drivers.Value{drivers.Float("v", v)} }

func good(context.Context) ([]drivers.Value, error) { return one(1), nil }

// takes returns a reading that needs d, and ends with its context.
func takes(d time.Duration) func(ctx context.Context) ([]drivers.Value, error) {
	return func(ctx context.Context) ([]drivers.Value, error) { return one(1), drivers.Wait(ctx, d) }
}

const ms = time.Millisecond

func TestScheduleAligned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		state := b.runFor(3 * time.Second)
		b.wantTimes(700*ms, 1700*ms, 2700*ms)
		if state.Reads != 3 || state.Skipped != 0 || state.LastOK != 2700*ms || state.Condition != OK || state.Since != 700*ms {
			t.Errorf("state: %+v", state)
		}
		if b.conditions() != "ok" {
			t.Errorf("OnState: want ok, got %s", b.conditions())
		}
	})
}

func TestClockStepChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		s, stop := b.run()
		b.sleep(time.Second)
		b.step = 56*365*24*time.Hour + 450*ms
		b.sleep(2 * time.Second)
		b.wantTimes(700*ms, 1700*ms, 2700*ms)
		// now the wall clock is 0.75 s after a whole second
		s.Apply(Settings{Every: time.Second, Enabled: true})
		b.sleep(time.Second)
		b.wantTimes(700*ms, 1700*ms, 2700*ms, 3250*ms)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestOverrunSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, takes(2300*ms))
		b.config.Timeout = 5 * time.Second
		state := b.runFor(10 * time.Second)
		b.wantTimes(3*time.Second, 6*time.Second, 9*time.Second) // begun at 0.7, 3.7, 6.7 s
		if state.Skipped != 6 || state.Failures != 0 {
			t.Errorf("want 6 skipped and no failures, got %+v", state)
		}
	})
}

func TestFastScheduleHoldsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		b.config.Settings.Every = 10 * time.Microsecond
		state := b.runFor(time.Second)
		if state.Reads < 99_800 || state.Reads > 100_000 || state.Skipped != 0 {
			t.Errorf("want 100,000 reads and none skipped, got %+v", state)
		}
	})
}

func TestFastScheduleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(ctx context.Context) ([]drivers.Value, error) {
			if n++; n == 5 {
				return one(1), drivers.Wait(ctx, time.Second)
			}
			return one(1), nil
		})
		b.config.Settings.Every = ms
		state := b.runFor(2 * time.Second)
		// One second is missed, of which 50 ms are made up for.
		if state.Skipped != 950 || state.Reads < 1045 || state.Reads > 1050 {
			t.Errorf("want 950 skipped and about 1050 reads, got %+v", state)
		}
	})
}

func TestWithoutPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, takes(400*ms))
		b.config.Settings.Every = 0
		b.runFor(1900 * ms)
		b.wantTimes(400*ms, 800*ms, 1200*ms, 1600*ms)
	})
}

func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		b := newBench(t, nil)
		v := 0.0
		b.config.Open = func(context.Context) (drivers.Driver, error) {
			b.opens++
			return &fake{
				read:   func(context.Context) ([]drivers.Value, error) { v++; return one(v), nil },
				closed: func() error { closed++; return nil },
			}, nil
		}
		s, stop := b.run()
		b.sleep(time.Second)
		b.wantTimes(700 * ms)
		s.Apply(Settings{Every: 2 * time.Second, Enabled: true}) // it is 03:04:06.3
		b.sleep(3 * time.Second)
		b.wantTimes(700*ms, 2700*ms)

		s.Apply(Settings{Every: time.Second})
		b.sleep(3 * time.Second)
		if _, err := s.ReadNow(t.Context()); !errors.Is(err, errDisabled) {
			t.Errorf("ReadNow: want errDisabled, got %v", err)
		}
		if c := s.State().Condition; c != Disabled || closed != 1 {
			t.Errorf("want disabled and closed once, got %s and %d", c, closed)
		}
		s.Apply(Settings{Every: time.Second, Enabled: true, Deadband: map[string]float64{"v": 1.5}})
		b.sleep(3 * time.Second)
		// the first after opening, and 2 more; not 1 more
		b.wantTimes(700*ms, 2700*ms, 7700*ms, 9700*ms)
		if got := s.State().Filtered; got != 1 {
			t.Errorf("filtered: want 1, got %d", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.conditions() != "ok disabled starting ok" || b.opens != 2 || closed != 2 {
			t.Errorf("want ok disabled starting ok, 2 opens, 2 closes, got %s, %d, %d", b.conditions(), b.opens, closed)
		}
	})
}

func TestRunDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan bool)
		b := newBench(t, func(context.Context) ([]drivers.Value, error) { <-release; return one(1), nil })
		_, stop := b.run()
		b.sleep(time.Second)
		before := b.up()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "read did not return") {
			t.Errorf("want an error that names the call, got %v", err)
		}
		if took := b.up() - before; took != grace {
			t.Errorf("Run ended after %v, want %v", took, grace)
		}
		close(release)
	})
}

func TestSlowDriverFailsByItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, takes(time.Hour))
		state := b.runFor(3 * time.Second)
		if state.Condition != Failing || !strings.Contains(state.Err, context.DeadlineExceeded.Error()) || state.Since != 2700*ms {
			t.Errorf("want failing since 2.7 s (begun at 0.7 s, 2 s allowed), got %+v", state)
		}
	})
}

func TestStopDuringReadingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, takes(time.Second))
		s, stop := b.run()
		b.sleep(time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if c := s.State().Condition; c != Starting {
			t.Errorf("want starting, got %s", c)
		}
		if _, err := s.ReadNow(t.Context()); err == nil {
			t.Error("ReadNow: want an error after the end")
		}
	})
}

func TestReadNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, values := false, one(0)
		scale, v := 10.0, 0.0
		b := newBench(t, func(ctx context.Context) ([]drivers.Value, error) {
			if busy {
				t.Error("two readings at a time")
			}
			busy = true
			defer func() { busy = false }()
			if err := drivers.Wait(ctx, 300*ms); err != nil {
				return nil, err
			}
			v++
			values[0] = drivers.Float("v", v) // the driver's slice, as ever
			return values, nil
		})
		b.config.Fields = map[string]config.FieldFilter{"v": {Scale: &scale, Average: 10, Deadband: 1e6}}
		s, stop := b.run()
		var wg sync.WaitGroup
		results := make([][]drivers.Value, 4)
		for i := range results {
			wg.Go(func() {
				values, err := s.ReadNow(t.Context())
				if err != nil || len(values) != 1 || values[0].Float() < 10 {
					t.Errorf("want a scaled value, got %#v, %v", values, err)
				}
				results[i] = values
			})
		}
		wg.Wait()
		different := map[drivers.Value]bool{}
		for _, values := range results {
			different[values[0]] = true
		}
		if len(different) != len(results) {
			t.Errorf("want values that later readings leave alone, got %#v", results)
		}
		if len(b.got) > 1 {
			t.Errorf("the sink got readings of ReadNow: %v", b.got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		if _, err := s.ReadNow(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want the caller's deadline, got %v", err)
		}
		if c := s.State().Condition; c != OK {
			t.Errorf("an impatient caller made the sensor %s", c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusingSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		b.config.Fields = map[string]config.FieldFilter{"v": {OnChange: true}}
		var calls []time.Duration
		b.deps.Sink = func(context.Context, string, time.Duration, []drivers.Value) error {
			calls = append(calls, b.up())
			if len(calls) <= 2 {
				return errors.New("the store is full")
			}
			return nil
		}
		state := b.runFor(5 * time.Second)
		if want := []time.Duration{700 * ms, 1700 * ms, 2700 * ms}; fmt.Sprint(calls) != fmt.Sprint(want) {
			t.Errorf("a lost reading must not count as kept: want the sink called at %v, got %v", want, calls)
		}
		if state.Rejected != 2 || state.SinkErr != "" || state.Filtered != 2 || state.Condition != OK {
			t.Errorf("state: %+v", state)
		}
		if b.conditions() != "ok ok" || b.states[0].SinkErr == "" || b.states[1].SinkErr != "" {
			t.Errorf("want a call of OnState for each change, got %+v", b.states)
		}
	})
}

func TestSharedBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock, release := NewBusLock(), make(chan bool)
		hog := newBench(t, func(context.Context) ([]drivers.Value, error) { <-release; return one(1), nil })
		hog.config.Name, hog.deps.BusLock = "hog", lock
		other := newBench(t, good)
		other.deps.BusLock = lock
		_, stopHog := hog.run()
		other.sleep(800 * ms)
		s, stopOther := other.run()
		other.sleep(40 * time.Second)
		if state := s.State(); state.Condition != Stale || !strings.Contains(state.Err, "sensor hog has not finished") || state.Failures > 0 || state.Skipped < 30 {
			t.Errorf("want it stale because of the other sensor, and its readings skipped, got %+v", state)
		}
		close(release)
		other.sleep(40 * time.Second)
		if state := s.State(); state.Condition != OK {
			t.Errorf("want ok, got %+v", state)
		}
		if err := errors.Join(stopHog(), stopOther()); err != nil {
			t.Error(err)
		}
	})
}

func TestDriverWithoutFieldsFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(context.Context) ([]drivers.Value, error) { return nil, nil })
		if state := b.runFor(time.Second); state.Condition != Failing {
			t.Errorf("want failing, got %+v", state)
		}
	})
}
