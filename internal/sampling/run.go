package sampling

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fieldgate/fieldgate/internal/filter"
)

const (
	minBackoff = time.Second
	maxBackoff = time.Minute
	// if the driver cannot be opened: a device that was plugged in again is not to be waited for
	maxMissing = 10 * time.Second
	reopen     = 5 // failures in a row after which the driver is opened again
	// attempts in a row without a turn on the bus that make a sensor Stale
	starved = 3
)

// A loop is what Run works with; it belongs to Run's goroutine.
type loop struct {
	*Sampler
	device   *device // a worker's, while there is one
	settings Settings
	deadband bool // settings.Deadband has yet to be given to the filter
	schedule schedule
	failed   int // attempts that failed in a row
	// when to try again after a failure or without a turn on the bus; 0: on schedule
	retry    time.Duration
	passed   int          // attempts without a turn on the bus in a row
	stuck    chan outcome // of a worker that has not returned in time; nil when there is none
	timer    *time.Timer
	frozen   error // what is said of a sensor that is Frozen
	damper   damper
	fields   damper // of changes of the fields that have no value, which are logged only
	reported State  // as it was last reported
}

// Run samples until ctx ends, then closes the driver and returns nil. It may be called once. If a
// call of the driver does not return in time, it leaves the worker behind and returns an error.
func (s *Sampler) Run(ctx context.Context) error {
	defer close(s.stopped)
	l := &loop{
		Sampler:  s,
		device:   &device{config: &s.config, deps: &s.deps, chain: filter.New(s.config.Fields, s.config.Computed)},
		timer:    time.NewTimer(0),
		reported: s.State(),
		frozen:   fmt.Errorf("no field has changed for %v: the sensor may hang; power-cycle it, or lengthen frozen_after", s.config.FrozenAfter),
	}
	defer l.timer.Stop()
	l.deps.Beat(0)
	l.apply(ctx)
	for {
		l.arm()
		select {
		case <-ctx.Done():
			return l.stop(ctx)
		case <-s.changed:
			l.apply(ctx)
		case r := <-s.requests:
			r.reply <- l.answer(ctx, r)
		case <-l.timer.C:
			l.reportSpan()
			l.sample(ctx)
		case o := <-l.stuck:
			l.stuck = nil
			l.update(func(s *State) { s.add(o) })
			l.fail(Failing, fmt.Errorf("%s returned after its deadline; the device is opened again", activity(l.device.doing.Load())))
			l.close(ctx)
		}
	}
}

// arm sets the timer to the next attempt, or to when something is to be reported.
func (l *loop) arm() {
	at := time.Duration(math.MaxInt64)
	switch {
	case !l.paused() && l.retry != 0:
		at = l.retry
	case !l.paused():
		at = l.schedule.wake()
	}
	if l.damper.flapping {
		at = min(at, l.damper.until)
	}
	l.await(l.timer, at-l.deps.Up())
}

// await sets a timer for which Run is going to wait.
func (l *loop) await(t *time.Timer, d time.Duration) {
	t.Reset(d)
	l.deps.Beat(d)
}

// paused reports whether no readings are made.
func (l *loop) paused() bool { return !l.settings.Enabled || l.stuck != nil }

// apply takes over the settings, and opens or closes the driver accordingly.
func (l *loop) apply(ctx context.Context) {
	l.mu.Lock()
	l.settings = l.Sampler.settings
	l.mu.Unlock()
	l.deadband, l.failed, l.retry = true, 0, 0
	l.schedule = align(l.settings.Every, l.deps.Up(), l.deps.Wall())
	switch {
	case !l.settings.Enabled:
		l.close(ctx)
		l.setCondition(Disabled, nil)
	case l.stuck != nil:
		if l.State().Condition != Stale {
			l.setCondition(Stale, l.stuckErr())
		}
	default:
		if l.State().Condition == Disabled {
			l.setCondition(Starting, nil)
		}
		l.work(ctx, func(ctx context.Context) outcome { return l.device.sample(ctx, 0, false) })
	}
}

// sample makes the readings that are due.
func (l *loop) sample(ctx context.Context) {
	if l.paused() {
		return
	}
	n, missed := 1, uint64(0)
	if l.retry == 0 {
		n, missed = l.schedule.due(l.deps.Up())
	}
	if n == 0 || l.deps.Up() < l.retry { // the timer was early
		return
	}
	settings, deadband := l.settings, l.deadband
	repeat := settings.Every >= shortRepeat && l.failed == 0
	l.deadband = false
	l.work(ctx, func(ctx context.Context) outcome {
		if deadband {
			l.device.chain.SetDeadbands(settings.Deadband)
		}
		o := l.device.sample(ctx, n, repeat)
		o.skipped += missed
		return o
	})
}

// answer does a request.
func (l *loop) answer(ctx context.Context, r request) outcome {
	if !l.settings.Enabled {
		return outcome{err: errDisabled}
	}
	if l.stuck != nil {
		return outcome{err: l.stuckErr()}
	}
	both, cancel := context.WithCancel(r.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	return l.work(both, func(ctx context.Context) outcome {
		if r.write != nil {
			return l.device.write(ctx, r.write)
		}
		return l.device.single(ctx)
	})
}

func (l *loop) stop(ctx context.Context) error {
	l.close(ctx)
	if l.stuck != nil {
		return fmt.Errorf("sensor %s: %w; it was abandoned", l.config.Name, l.stuckErr())
	}
	return nil
}

// fail notes a failure that no worker reported.
func (l *loop) fail(c Condition, err error) {
	l.backOff(maxBackoff)
	if l.settings.Enabled {
		l.setCondition(c, err)
	}
}
