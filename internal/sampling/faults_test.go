package sampling

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// plausible is the filter of a mains voltage.
func plausible() map[string]config.FieldFilter {
	low, high := 100.0, 400.0
	return map[string]config.FieldFilter{"v": {Min: &low, Max: &high}}
}

// A meter whose words are in the wrong order, with a register that it does not have: every reading
// succeeds, and none has a value.
func TestNeverAGoodValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0.0
		var mended atomic.Bool
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if mended.Load() {
				return []drivers.Value{drivers.Float("v", 230), drivers.Int("x", 1)}, nil
			}
			n++ // it is never the same number
			return []drivers.Value{drivers.Float("v", 4e-08+n*1e-10), drivers.Bad("x", "exception 2")}, nil
		})
		b.config.Fields = plausible()
		s, stop := b.run()
		b.sleep(2 * time.Second)
		const first = "4.01e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?"
		if state := s.State(); state.Condition != OK || state.Bad["v"] != strings.Replace(first, "4.01", "4.02", 1) || state.Bad["x"] != "exception 2" {
			t.Errorf("after 2 readings: want ok with two bad fields, got %+v", state)
		}
		b.sleep(time.Second)
		const third = "no field has a value: v: 4.03e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?; x: exception 2"
		if state := s.State(); state.Condition != Bad || state.Err != third || state.Since != 2700*ms || state.Failures != 0 {
			t.Errorf("after 3 readings: want bad, got %+v", state)
		}
		if _, err := s.ReadNow(t.Context()); err != nil || s.State().Condition != Bad {
			t.Errorf("ReadNow: want it still bad, got %s, %v", s.State().Condition, err)
		}
		b.sleep(time.Minute)
		if state := s.State(); !strings.Contains(state.Err, "4.64e-08") || !strings.Contains(state.Bad["v"], "4.64e-08") {
			t.Errorf("want what came last, got %+v", state)
		}
		if log := b.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "sensor=s bus=/dev/i2c-1 state=bad") || !strings.Contains(log, first) {
			t.Errorf("want a line for the first reading and one for bad, got\n%s", log)
		}
		mended.Store(true)
		b.sleep(time.Second)
		if state := s.State(); state.Condition != OK || state.Bad != nil || state.Err != "" {
			t.Errorf("want ok, got %+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.conditions() != "ok bad ok" {
			t.Errorf("conditions: %s", b.conditions())
		}
	})
}

// Two readings in a row without any value, as a disturbance makes them, change nothing.
func TestADisturbanceIsNotBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if n++; n%3 != 0 {
				return []drivers.Value{drivers.Bad("v", "crc")}, nil
			}
			return one(1), nil
		})
		b.runFor(5 * time.Second)
		if b.conditions() != "ok" {
			t.Errorf("conditions: %s", b.conditions())
		}
	})
}

func TestSomeFieldsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Int32
		reasons := []drivers.Value{drivers.Float("x", 1), drivers.Bad("x", "crc"), drivers.Bad("x", "not measured")}
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			return []drivers.Value{drivers.Float("v", 1), reasons[broken.Load()]}, nil
		})
		s, stop := b.run()
		for _, want := range []string{"", "x: crc", "x: not measured", ""} {
			b.sleep(20 * time.Second)
			if state := s.State(); list(state.Bad) != want || state.Condition != OK {
				t.Errorf("want ok and %q, got %+v", want, state)
			}
			broken.Store((broken.Load() + 1) % 3)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		log := b.log.String()
		if strings.Count(log, "\n") != 4 || strings.Count(log, "have no value") != 2 || strings.Count(log, "have values again") != 1 {
			t.Errorf("want one line of log for each change, got\n%s", log)
		}
		if b.conditions() != "ok" {
			t.Errorf("OnState: want ok once, got %s", b.conditions())
		}
	})
}

// Fields are not reported that are bad since the reading before a failure, nor is their list
// without end.
func TestBadFieldsOfAFailingSensor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if fails.Load() {
				return nil, fmt.Errorf("no answer")
			}
			var values []drivers.Value
			for i := range 7 {
				values = append(values, drivers.Bad(fmt.Sprintf("r%d", i), "exception 2"))
			}
			return values, nil
		})
		s, stop := b.run()
		b.sleep(5 * time.Second)
		if state := s.State(); !strings.HasSuffix(state.Err, "r3: exception 2; and 3 more") || len(state.Bad) != 7 {
			t.Errorf("got %+v", state)
		}
		fails.Store(true)
		b.sleep(5 * time.Second)
		if state := s.State(); state.Condition != Failing || state.Bad != nil {
			t.Errorf("want no fields while it fails, got %+v", state)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
