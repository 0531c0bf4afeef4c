package sampling

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestOneFailureIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if n++; n == 2 {
				return nil, errors.New("no answer")
			}
			return one(1), nil
		})
		state := b.runFor(3 * time.Second)
		b.wantTimes(700*ms, 1710*ms, 2700*ms)
		if state.Failures != 1 || b.conditions() != "ok" {
			t.Errorf("want one failure and no change, got %d and %s", state.Failures, b.conditions())
		}
	})
}

func TestBackoffAndReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		closed := 0
		var broken atomic.Bool
		broken.Store(true)
		b := newBench(t, nil)
		b.config.Settings.Every = 10 * time.Second
		b.config.Open = func(context.Context) (drivers.Driver, error) {
			b.opens++
			return &fake{
				read: func(context.Context) ([]drivers.Value, error) {
					broken := broken.Load()
					if len(tries) == 0 || b.up()-tries[len(tries)-1] > 20*ms { // not the repetition
						tries = append(tries, b.up())
					}
					if broken {
						return nil, errors.New("no answer")
					}
					return one(1), nil
				},
				closed: func() error { closed++; return nil },
			}, nil
		}
		s, stop := b.run()
		b.sleep(4 * time.Minute)
		var gaps []string
		for i := range tries[1:] {
			gaps = append(gaps, (tries[i+1] - tries[i]).Round(time.Second).String())
		}
		if got := strings.Join(gaps, " "); got != "1s 2s 4s 8s 16s 32s 1m0s 1m0s" {
			t.Errorf("gaps: %s", got)
		}
		if b.opens != 2 || closed != 1 {
			t.Errorf("want opened again after 5 failures, got %d opens, %d closes", b.opens, closed)
		}
		if b.conditions() != "failing" || s.State().Err != "no answer" || strings.Count(b.log.String(), "\n") != 1 {
			t.Errorf("want one change and one line of log, got %s and\n%s", b.conditions(), b.log.String())
		}
		broken.Store(false)
		b.sleep(time.Minute)
		state := s.State()
		if state.Condition != OK || state.Err != "" || len(b.got) < 2 {
			t.Fatalf("want ok with no error, got %+v", state)
		}
		if last := b.got[len(b.got)-1]; (last+300*ms)%time.Second != 0 {
			t.Errorf("the schedule is not aligned any more: %v", last)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLostBusIsReopenedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.config.Open = func(context.Context) (drivers.Driver, error) {
			b.opens++
			first := b.opens == 1
			return &fake{read: func(context.Context) ([]drivers.Value, error) {
				if first && b.up() > time.Second {
					return nil, fmt.Errorf("/dev/ttyUSB0 was unplugged: %w", os.ErrClosed)
				}
				return one(1), nil
			}}, nil
		}
		b.runFor(4 * time.Second)
		b.wantTimes(700*ms, 2700*ms, 3700*ms) // failed at 1.7 s, tried again 1 s later
		if b.conditions() != "ok failing ok" || b.opens != 2 {
			t.Errorf("want ok failing ok with 2 opens, got %s with %d", b.conditions(), b.opens)
		}
	})
}

func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		var tries []time.Duration
		b.config.Open = func(context.Context) (drivers.Driver, error) {
			tries = append(tries, b.up())
			if len(tries) < 4 {
				return nil, errors.New("no answer at 0x76")
			}
			return &fake{read: good}, nil
		}
		state := b.runFor(9 * time.Second)
		if want := "[0s 1s 3s 7s]"; fmt.Sprint(tries) != want {
			t.Errorf("opened at: want %s, got %v", want, tries)
		}
		b.wantTimes(7*time.Second, 7700*ms, 8700*ms)
		if b.conditions() != "missing ok" || state.Failures != 3 {
			t.Errorf("want missing ok after 3 failures, got %s after %d", b.conditions(), state.Failures)
		}
	})
}

// However long a device has been missing, it is not waited for longer than 10 s once it is plugged
// in again.
func TestMissingForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		var tries []time.Duration
		b.config.Open = func(context.Context) (drivers.Driver, error) {
			tries = append(tries, b.up())
			return nil, errors.New("no answer at 0x76")
		}
		b.runFor(50 * time.Second)
		if want := "[0s 1s 3s 7s 15s 25s 35s 45s]"; fmt.Sprint(tries) != want {
			t.Errorf("opened at: want %s, got %v", want, tries)
		}
	})
}

func TestHangIsAbandonedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, calls := make(chan bool), 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if calls++; calls == 2 {
				<-release // whatever the context says
			}
			return one(1), nil
		})
		s, stop := b.run()
		b.sleep(time.Minute)
		state := s.State()
		if calls != 2 || state.Condition != Stale || !strings.Contains(state.Err, "read did not return") {
			t.Errorf("want stale and no further call, got %d calls and %+v", calls, state)
		}
		if _, err := s.ReadNow(t.Context()); err == nil {
			t.Error("ReadNow: want an error while the driver hangs")
		}
		s.Apply(Settings{Every: time.Second, Enabled: true})
		close(release)
		b.sleep(3 * time.Second)
		if b.conditions() != "ok stale failing ok" || b.opens != 2 {
			t.Errorf("want it opened anew once it returned, got %s and %d opens", b.conditions(), b.opens)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
