package sampling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// Two devices that answer and fifteen that do not on one line: those that answer wait for one dead
// device at most, and the dead ones show their own error soon.
func TestDeadDevicesOnABus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			live, dead  = 2, 15
			every       = 500 * ms
			answer, out = 20 * ms, 300 * ms // what an answer takes, and waiting for none
		)
		lock := NewBusLock()
		var benches []*bench
		var samplers []*Sampler
		var stops []func() error
		for i := range live + dead {
			b := newBench(t, takes(answer))
			if i >= live {
				b = newBench(t, func(ctx context.Context) ([]drivers.Value, error) {
					if err := drivers.Wait(ctx, out); err != nil {
						return nil, err
					}
					return nil, errors.New("no answer within 300ms")
				})
			}
			b.config.Name, b.config.Settings.Every = fmt.Sprint("unit ", i), every
			b.deps.BusLock = lock
			b.deps.Random = rand.New(rand.NewPCG(1, uint64(i))).Float64
			s, stop := b.run()
			benches, samplers, stops = append(benches, b), append(samplers, s), append(stops, stop)
		}
		// A dead one has the line twice before it fails, for the repetition, and between two of
		// them those that answer have it.
		const settle = dead*2*(out+live*answer) + every
		time.Sleep(settle)
		synctest.Wait()
		var before []State
		for i, s := range samplers {
			state := s.State()
			if before = append(before, state); i >= live && (state.Condition != Failing || state.Err != "no answer within 300ms") {
				t.Errorf("%s after %v: want its own error, got %+v", state.Sensor, settle, state)
			}
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		var after []State
		for _, s := range samplers {
			after = append(after, s.State())
		}
		for i, b := range benches {
			if err := stops[i](); err != nil {
				t.Error(err)
			}
			state := after[i]
			if i >= live {
				if b.conditions() != "failing" || state.Err != "no answer within 300ms" {
					t.Errorf("%s: want failing once with its own error, got %s, %+v", state.Sensor, b.conditions(), state)
				}
				continue
			}
			var longest time.Duration
			for j := range b.got[1:] {
				longest = max(longest, b.got[j+1]-b.got[j])
			}
			t.Logf("%s: %d readings, at most %v apart, %d skipped, of them %d in the first %v", state.Sensor, state.Reads, longest, state.Skipped, before[i].Skipped, settle)
			if b.conditions() != "ok" || state.Failures != 0 || state.Skipped > before[i].Skipped || longest > every+out+live*answer {
				t.Errorf("%s: want every reading within the share of one dead device, got %s, %+v", state.Sensor, b.conditions(), state)
			}
			if first := b.got[0]; first > dead*out+every+live*answer {
				t.Errorf("%s: first reading only at %v", state.Sensor, first)
			}
		}
	})
}

// The time of a reading begins when the bus is the sensor's, not when it asks for it.
func TestTimeoutBeginsWithTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := NewBusLock()
		hog := newBench(t, takes(5*time.Second))
		hog.config.Name, hog.config.Timeout, hog.config.Settings.Every, hog.deps.BusLock = "hog", 6*time.Second, time.Minute, lock
		other := newBench(t, takes(900*ms))
		other.config.Timeout, other.deps.BusLock = time.Second, lock
		_, stopHog := hog.run()
		s, stopOther := other.run()
		other.sleep(65 * time.Second)
		if state := s.State(); state.Failures != 0 || other.conditions() != "ok" || state.Skipped < 5 {
			t.Errorf("want it ok with the readings skipped that the other one cost, got %s, %+v", other.conditions(), state)
		}
		if err := errors.Join(stopHog(), stopOther()); err != nil {
			t.Error(err)
		}
	})
}

// A sensor that fails keeps saying why while the bus is another's.
func TestBusyBusKeepsTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := NewBusLock()
		b := newBench(t, func(context.Context) ([]drivers.Value, error) { return nil, errors.New("no answer") })
		b.deps.BusLock = lock
		s, stop := b.run()
		b.sleep(20 * time.Second)
		name := "other"
		if err := lock.lock(t.Context(), &name, true); err != nil {
			t.Fatal(err)
		}
		before := s.State()
		b.sleep(25 * time.Second)
		lock.unlock()
		state := s.State()
		if before.Err != "no answer" || state.Condition != Failing || state.Err != before.Err || state.Failures != before.Failures || state.Skipped <= before.Skipped {
			t.Errorf("want it failing for its own reason, the readings skipped, got %+v after %+v", state, before)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestTurnsOnABus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := NewBusLock()
		var order []string
		ask := func(name string, works bool) {
			go func() {
				if err := lock.lock(t.Context(), &name, works); err != nil {
					order = append(order, name+" went")
					return
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		pass := func(want string) {
			t.Helper()
			lock.unlock()
			synctest.Wait()
			if got := strings.Join(order, " "); got != want {
				t.Errorf("want %q, got %q", want, got)
			}
		}
		ask("a", true)
		ask("dead1", false)
		ask("dead2", false)
		ask("b", true)
		ask("c", true)
		pass("a b")
		pass("a b c")
		pass("a b c dead1")
		ask("d", true)
		time.Sleep(precedence)
		ask("e", true)
		pass("a b c dead1 d") // none waits for a second dead one
		pass("a b c dead1 d e")
		pass("a b c dead1 d e dead2")
		ask("f", true)
		time.Sleep(busWait)
		synctest.Wait()
		ask("g", true)
		pass("a b c dead1 d e dead2 f went g")
		lock.unlock()
		ask("h", false)
		if order[len(order)-1] != "h" {
			t.Errorf("a bus that is free was not given: %v", order)
		}
	})
}

func TestBackoffVaries(t *testing.T) {
	for _, test := range []struct {
		random float64
		want   string
	}{{0, "[0s 750ms 2.25s 5.25s]"}, {0.5, "[0s 1s 3s 7s]"}, {1, "[0s 1.25s 3.75s 8.75s]"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			b.deps.Random = func() float64 { return test.random }
			var tries []time.Duration
			b.config.Open = func(context.Context) (drivers.Driver, error) {
				tries = append(tries, b.up())
				return nil, errors.New("no answer at 0x76")
			}
			b.runFor(9 * time.Second)
			if got := fmt.Sprint(tries[:4]); got != test.want {
				t.Errorf("random %v: opened at: want %s, got %s", test.random, test.want, got)
			}
		})
	}
}

// However many devices on a bus are dead: those that work are read, at nearly every interval and
// never reported as stale once each of the dead ones has failed.
func TestManyDeadDevicesOnABus(t *testing.T) {
	for _, tt := range []struct {
		dead    int
		timeout time.Duration
	}{{10, time.Second}, {30, time.Second}, {60, time.Second}, {8, 3 * time.Second}, {30, 3 * time.Second}} {
		t.Run(fmt.Sprint(tt.dead, " of ", tt.timeout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const live = 2
				// A device that has just died goes before one that failed, twice for its timeout,
				// and may then have kept the others waiting for long enough to be stale.
				allFailed := time.Minute + time.Duration(tt.dead)*(2*tt.timeout+20*ms) + 10*time.Second
				lock := NewBusLock()
				var dead atomic.Bool
				var benches []*bench
				var stops []func() error
				for i := range live + tt.dead {
					read := takes(20 * ms)
					if i >= live {
						read = func(ctx context.Context) ([]drivers.Value, error) {
							if !dead.Load() {
								return takes(20 * ms)(ctx)
							}
							return nil, cmp.Or(drivers.Wait(ctx, tt.timeout), errors.New("no answer"))
						}
					}
					b := newBench(t, read)
					b.config.Name, b.config.Settings.Every, b.config.Timeout = string([]byte{'a' + byte(i/26), 'a' + byte(i%26), 'x'}), 10*time.Second, 5*time.Second
					if i < live {
						b.config.Settings.Every = time.Second
					}
					b.deps.BusLock, b.deps.Random = lock, rand.New(rand.NewPCG(1, uint64(i))).Float64
					_, stop := b.run()
					benches, stops = append(benches, b), append(stops, stop)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				dead.Store(true)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				for _, b := range benches[:live] {
					longest := time.Duration(0)
					for j := range b.got[1:] {
						if b.got[j] > 5*time.Minute {
							longest = max(longest, b.got[j+1]-b.got[j])
						}
					}
					if last := b.got[len(b.got)-1]; last < 10*time.Minute || longest > time.Second+2*tt.timeout {
						t.Errorf("%s: %d readings, the last at %v, at last up to %v apart", b.config.Name, len(b.got), last, longest)
					}
					for _, state := range b.reported() {
						if state.Condition == Stale && state.Since > allFailed {
							t.Errorf("%s: stale %v after the start, when all that are dead had failed: %s", b.config.Name, state.Since, b.conditions())
						}
					}
				}
				for _, stop := range stops {
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
