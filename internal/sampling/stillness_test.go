package sampling

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

func TestFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := 1.0
		var steps atomic.Bool
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if steps.Load() {
				v++
			}
			return []drivers.Value{drivers.Float("v", v), drivers.Bad("w", "not present")}, nil
		})
		b.config.FrozenAfter = 10 * time.Second
		scale := 0.0625
		// changes the values in place
		b.config.Fields = map[string]config.FieldFilter{"v": {Scale: &scale, OnChange: true}}
		s, stop := b.run()
		b.sleep(10 * time.Second)
		if c := s.State().Condition; c != OK {
			t.Errorf("after 9.3 s of the same: want ok, got %s", c)
		}
		b.sleep(time.Minute)
		state := s.State()
		if state.Condition != Frozen || state.Since != 10700*ms || !strings.Contains(state.Err, "no field has changed for 10s") || state.Failures != 0 || state.Reads != 70 {
			t.Errorf("want frozen at 10.7 s without failures, got %+v", state)
		}
		// the state, and frozen_after in its reason
		if n := strings.Count(b.log.String(), "frozen"); n != 2 {
			t.Errorf("want one line of log, got\n%s", b.log.String())
		}
		steps.Store(true)
		b.sleep(time.Second)
		if state := s.State(); state.Condition != OK || state.Err != "" {
			t.Errorf("want ok with the first change, got %+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.conditions() != "ok frozen ok" {
			t.Errorf("conditions: %s", b.conditions())
		}
	})
}

// If the interval is longer than FrozenAfter, two equal readings by chance do not make a sensor
// frozen.
func TestFrozenNeedsThreeReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		b.config.FrozenAfter = ms
		s, stop := b.run()
		b.sleep(2 * time.Second)
		if c := s.State().Condition; c != OK {
			t.Errorf("after 2 readings: want ok, got %s", c)
		}
		b.sleep(time.Second)
		if c := s.State().Condition; c != Frozen {
			t.Errorf("after 3 readings: want frozen, got %s", c)
		}
		s.Apply(Settings{Every: time.Second})
		b.sleep(time.Minute)
		s.Apply(Settings{Every: time.Second, Enabled: true})
		b.sleep(2 * time.Second)
		if c := s.State().Condition; c != OK {
			t.Errorf("opened anew, 2 readings: want ok, got %s", c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestFrozenIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		if state := b.runFor(48 * time.Hour); state.Condition != OK {
			t.Errorf("want ok, got %+v", state)
		}
	})
}

func TestStillnessDoesNotAllocate(t *testing.T) {
	var s stillness
	values := make([]drivers.Value, 3)
	v := 0.0
	if n := testing.AllocsPerRun(100, func() { v++; values[0] = drivers.Float("v", v); s.since(time.Second, values, time.Hour) }); n > 0 {
		t.Errorf("a reading allocates %v times", n)
	}
}
