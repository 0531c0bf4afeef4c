package sampling

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// A wild driver does anything that a driver may do wrong, and notices what its caller does wrong.
type wild struct {
	t        *testing.T
	random   *rand.Rand
	busy     atomic.Bool
	isOpen   bool
	hanging  atomic.Int32
	released chan struct{} // closed at the end: then it does not hang any more
}

// enter begins a call, which ends with leave.
func (w *wild) enter(call string) (leave func()) {
	if w.busy.Swap(true) {
		w.t.Errorf("%s while another call is under way", call)
	}
	return func() { w.busy.Store(false) }
}

// behave takes some time and perhaps fails.
func (w *wild) behave(ctx context.Context) error {
	switch w.random.IntN(12) {
	case 0:
		return errors.New("no answer")
	case 1:
		return os.ErrClosed
	case 2:
		return drivers.Wait(ctx, time.Duration(w.random.IntN(5000))*time.Millisecond)
	case 3: // hangs, whatever the context says
		if n := w.hanging.Add(1); n > 1 {
			w.t.Errorf("%d calls hang at a time", n)
		}
		select {
		case <-w.released:
		case <-time.After(time.Duration(w.random.IntN(40)) * time.Second):
		}
		w.hanging.Add(-1)
	}
	return nil
}

func (w *wild) open(ctx context.Context) (drivers.Driver, error) {
	defer w.enter("Open")()
	if w.isOpen {
		w.t.Error("Open of an open driver")
	}
	if err := w.behave(ctx); err != nil {
		return nil, err
	}
	w.isOpen = true
	return w, nil
}

func (w *wild) Read(ctx context.Context) ([]drivers.Value, error) {
	defer w.enter("Read")()
	if !w.isOpen {
		w.t.Error("Read of a closed driver")
	}
	if err := w.behave(ctx); err != nil {
		return nil, err
	}
	return one(w.random.Float64()), nil
}

func (w *wild) Close() error {
	defer w.enter("Close")()
	if !w.isOpen {
		w.t.Error("Close of a closed driver")
	}
	w.isOpen = false
	return w.behave(context.Background())
}

// Whatever a driver does and whatever is asked of its sampler: calls are never concurrent, no more
// than one hangs, the counters agree with what the sink got, and nothing is left at the end.
func TestChaos(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 6
	}
	for seed := range uint64(rounds) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := &wild{t: t, random: rand.New(rand.NewPCG(seed, 2)), released: make(chan struct{})}
			b := newBench(t, nil)
			b.config.Open = w.open
			every := []time.Duration{0, 500 * time.Microsecond, 100 * ms, time.Second, 30 * time.Second}
			settings := func() Settings {
				return Settings{Every: every[random.IntN(len(every))], Enabled: random.IntN(5) > 0, Deadband: map[string]float64{"v": random.Float64() - 0.5}}
			}
			b.config.Settings = settings()
			if b.config.Settings.Every == 0 {
				// a driver that answers at once would be read without end in a bubble
				b.config.Settings.Every = time.Second
			}
			every = every[1:]
			sunk := uint64(0)
			b.deps.Sink = func(context.Context, string, time.Duration, []drivers.Value) error {
				sunk++
				if sunk%3 == 0 {
					return errors.New("full")
				}
				return nil
			}
			s, stop := b.run()
			asked := uint64(0)
			for range 40 {
				b.sleep(time.Duration(random.IntN(20_000)) * ms)
				switch random.IntN(3) {
				case 0:
					s.Apply(settings())
				case 1:
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(5000))*ms)
					if values, err := s.ReadNow(ctx); err == nil {
						if asked++; len(values) != 1 {
							t.Errorf("ReadNow: %#v", values)
						}
					}
					cancel()
				}
			}
			close(w.released)
			synctest.Wait()
			if err := stop(); err != nil {
				t.Errorf("Run: %v", err)
			}
			if w.isOpen {
				t.Error("the driver was left open")
			}
			// A caller of ReadNow may be gone before its reading is made.
			if state := s.State(); state.Reads < sunk+asked+state.Filtered || state.Rejected != sunk/3 {
				t.Errorf("%d readings in the sink, %d asked for, and %+v", sunk, asked, state)
			}
		})
	}
}
