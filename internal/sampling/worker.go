package sampling

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// work has a worker do something with the device, enters into the state how that ended, and returns it. A failure after the end of ctx
// says nothing of the sensor.
func (l *loop) work(ctx context.Context, f func(context.Context) outcome) outcome {
	timeout := l.timeout()
	if l.device.driver == nil {
		timeout += openTimeout
	}
	o, ok := l.wait(ctx, timeout, f)
	condition := OK
	switch {
	case !ok:
		condition, o = Stale, outcome{err: l.stuckErr(), failures: 1}
	case o.err != nil && ctx.Err() != nil, o.err == nil && o.reads == 0:
		l.update(func(s *State) { s.add(o) })
		return o
	case o.err == nil:
		if o.frozen {
			condition = Frozen
		}
		l.failed, l.retry = 0, 0
		o.skipped += l.schedule.skip(l.deps.Up())
	case o.missing:
		condition = Missing
	default:
		condition = Failing
	}
	switch {
	case condition == Missing:
		l.backOff(maxMissing)
	case o.err != nil:
		l.backOff(maxBackoff)
	}
	why := o.err
	if condition == Frozen {
		why = l.frozen
	}
	l.update(func(s *State) { s.add(o); s.turn(condition, why) })
	if condition == Failing && (errors.Is(o.err, os.ErrClosed) || l.failed%reopen == 0 && !errors.Is(o.err, errBusy)) {
		l.close(ctx)
	}
	return o
}

// wait has a worker do f and waits for it until its deadline and the grace after that. A worker that needs longer becomes l.stuck.
func (l *loop) wait(ctx context.Context, timeout time.Duration, f func(context.Context) outcome) (o outcome, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	done := make(chan outcome, 1)
	go func() { // awaited below or, once stuck, by Run
		defer cancel()
		done <- f(ctx)
	}()
	select {
	case o := <-done:
		return o, true
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case o := <-done:
		return o, true
	case <-timer.C:
		l.stuck = done
		return outcome{}, false
	}
}

// close closes the driver unless a worker is stuck in it, which Run closes it after.
func (l *loop) close(ctx context.Context) {
	if l.stuck != nil || l.device.driver == nil {
		return
	}
	o, ok := l.wait(context.WithoutCancel(ctx), grace, func(context.Context) outcome { return outcome{err: l.device.close()} })
	if !ok {
		l.fail(Stale, l.stuckErr())
	} else if o.err != nil {
		l.deps.Log.Debug("sensor could not be closed", "sensor", l.config.Name, "bus", l.config.Bus, "err", o.err)
	}
}

// backOff counts a failure and decides when to try again.
func (l *loop) backOff(limit time.Duration) {
	l.failed++
	d := minBackoff
	if l.settings.Every > 0 {
		d = max(tick, min(d, l.settings.Every))
	}
	for range l.failed - 1 {
		if d *= 2; d >= limit {
			d = limit
			break
		}
	}
	l.retry = l.deps.Up() + d
}

func (l *loop) timeout() time.Duration {
	switch {
	case l.config.Timeout > 0:
		return l.config.Timeout
	case l.settings.Every == 0:
		return maxTimeout
	}
	return min(max(l.settings.Every, minTimeout), maxTimeout)
}

func (l *loop) stuckErr() error {
	return fmt.Errorf("%s did not return after its deadline: the bus or the driver hangs", activity(l.device.doing.Load()))
}
