package sampling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// A sensor that changes twenty times a second is reported at once at first, then once a minute; and
// how it ends is reported as well.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var calm atomic.Bool
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if n++; n%2 == 0 && !calm.Load() {
				return nil, errors.New("no answer")
			}
			return one(1), nil
		})
		b.config.Settings.Every = 50 * ms // too short to repeat a reading
		s, stop := b.run()
		b.sleep(300 * ms)
		if lines := strings.Count(b.log.String(), "sensor changed"); lines != 6 || lines != len(b.reported()) {
			t.Errorf("want each of the first changes told at once, got %d events and\n%s", len(b.reported()), b.log.String())
		}
		b.sleep(10 * time.Minute)
		state := s.State()
		if state.Flaps < 1100 || state.Flaps > 1201 || !strings.HasPrefix(state.Trouble(), fmt.Sprintf("it is flapping, %d changes within a minute", state.Flaps)) {
			t.Errorf("want the changes of a minute, got %+v", state)
		}
		if lines := strings.Count(b.log.String(), "\n"); lines != flapLimit+1+10 || len(b.reported()) != lines {
			t.Errorf("want %d first changes, the one that makes it flap and 10 minutes, got %d events and\n%s", flapLimit, len(b.reported()), b.log.String())
		}
		calm.Store(true)
		b.sleep(2 * time.Minute)
		reported := b.reported()
		last := reported[len(reported)-1]
		if state := s.State(); state.Flaps != 0 || last.Flaps != 0 || last.Condition != OK || !strings.Contains(b.log.String(), "no longer flapping") {
			t.Errorf("two minutes after the last change: %+v, last told %+v", state, last)
		}
		calm.Store(false)
		b.sleep(150 * ms)
		if len(b.reported()) < len(reported)+2 {
			t.Errorf("want changes told at once again, got %d", len(b.reported())-len(reported))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// What a sensor came to while it flapped is reported although nothing is read any more.
func TestFlappingUntilDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			if n++; n%2 == 0 {
				return nil, errors.New("no answer")
			}
			return one(1), nil
		})
		b.config.Settings.Every = 50 * ms
		s, stop := b.run()
		b.sleep(30 * time.Second)
		s.Apply(Settings{Every: time.Second})
		b.sleep(3 * time.Minute)
		reported := b.reported()
		if last := reported[len(reported)-1]; last.Condition != Disabled || last.Flaps != 0 {
			t.Errorf("told last: %+v", last)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestFlappingFieldsAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			x := drivers.Float("x", 1)
			if n++; n%2 == 0 {
				x = drivers.Bad("x", "crc")
			}
			return []drivers.Value{drivers.Float("v", 1), x}, nil
		})
		b.config.Settings.Every = 100 * ms
		b.runFor(5 * time.Minute)
		if lines := strings.Count(b.log.String(), "\n"); lines > flapLimit+1+5 || lines < 8 {
			t.Errorf("log:\n%s", b.log.String())
		}
	})
}

// While it fails, another kind of error is reported once, and what differs within a kind is not.
func TestAnotherErrorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		var damaged atomic.Bool
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			n := n.Add(1)
			if damaged.Load() {
				return nil, fmt.Errorf("unit 7: the answer was damaged: 07 03 %02x af", 0xa0+n)
			}
			return nil, fmt.Errorf("unit 7: no answer within %dms", 300+n)
		})
		s, stop := b.run()
		b.sleep(2 * time.Minute)
		damaged.Store(true)
		b.sleep(5 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.conditions() != "failing failing" || !strings.Contains(b.reported()[1].Err, "damaged") || s.State().Since != b.reported()[0].Since {
			t.Errorf("want two events, got %+v", b.reported())
		}
		if log := b.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "another reason") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// A reading that the end of the program overtakes on its way into the store is nothing to warn of.
func TestStopWhileStoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, good)
		b.deps.Sink = func(ctx context.Context, _ string, _ time.Duration, _ []drivers.Value) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s, stop := b.run()
		b.sleep(time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if log := b.log.String(); strings.Contains(log, "not stored") || s.State().SinkErr != "" || s.State().Rejected != 1 {
			t.Errorf("want no warning, got %+v and\n%s", s.State(), log)
		}
	})
}

// A field that comes and goes is nothing that a sensor which is well suffers from.
func TestFieldThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(context.Context) ([]drivers.Value, error) {
			n++
			course := drivers.Bad("course", "not measured")
			if n%10 == 0 {
				course = drivers.Float("course", 3)
			}
			return []drivers.Value{drivers.Float("speed", 1), course}, nil
		})
		s, stop := b.run()
		b.sleep(5*time.Minute + time.Second)
		if st := s.State(); st.Flaps != 0 || st.Condition != OK || len(st.Bad) == 0 {
			t.Errorf("%+v", st)
		}
		if got := b.conditions(); got != "ok" {
			t.Errorf("told %s", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// That readings are lost is logged also if it began while the sensor flapped.
func TestReadingsLostWhileFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, takes(ms))
		n := 0
		b.deps.Sink = func(context.Context, string, time.Duration, []drivers.Value) error {
			if n++; n > 8 || n%2 == 0 {
				return errors.New("store is full")
			}
			return nil
		}
		_, stop := b.run()
		b.sleep(5 * time.Minute)
		lost, kept := strings.LastIndex(b.log.String(), "readings are not stored"), strings.LastIndex(b.log.String(), "readings are stored again")
		if lost < kept {
			t.Errorf("the log says last that they are stored:\n%s", b.log.String())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
