package sampling

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// work has a worker do something with the device, enters into the state how that ended, and returns
// it. A failure after the end of ctx says nothing of the sensor.
func (l *loop) work(ctx context.Context, f func(context.Context) outcome) outcome {
	timeout := l.timeout()
	l.device.timeout, l.device.works = timeout, l.failed == 0 && l.state.Reads > 0
	if l.device.driver == nil {
		timeout += openTimeout
	}
	o, ok := l.wait(ctx, timeout, f)
	if ctx.Err() != nil {
		o.stored = false // a sink that gives up then is not news
	}
	if ok && errors.Is(o.err, errBusy) && ctx.Err() == nil {
		return l.passOver(o)
	}
	l.passed = 0
	condition := OK
	switch {
	case !ok:
		condition, o = Stale, outcome{err: l.stuckErr(), failures: 1}
	case o.err != nil && ctx.Err() != nil, o.err == nil && o.reads == 0:
		l.update(func(s *State) { s.add(o) })
		return o
	case o.err == nil:
		switch {
		case o.noValues:
			condition = Bad
		case o.frozen:
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
	switch condition {
	case Frozen:
		why = l.frozen
	case Bad:
		why = errors.New("no field has a value: " + list(o.bad))
	}
	l.update(func(s *State) { s.add(o); s.setCondition(condition, why) })
	if condition == Failing && (errors.Is(o.err, os.ErrClosed) || l.failed%reopen == 0) {
		l.close(ctx)
	}
	return o
}

// passOver leaves a sensor as it is that did not get its turn on the bus, until that has happened
// too often.
func (l *loop) passOver(o outcome) outcome {
	if l.retry != 0 { // it was not a multiple of the interval
		o.skipped = 0
	}
	up := l.deps.Up()
	o.skipped += l.schedule.skip(up)
	l.passed++
	l.retry = up + l.delay(maxBackoff)
	l.update(func(s *State) {
		s.add(o)
		if l.passed >= starved {
			s.setCondition(Stale, o.err)
		}
	})
	return o
}

// wait has a worker do f and waits for it until its deadline and the grace after that. A worker
// that needs longer becomes l.stuck. On a shared bus every step has a deadline of its own, since
// the wait for a turn says nothing of the device.
func (l *loop) wait(ctx context.Context, timeout time.Duration, f func(context.Context) outcome) (o outcome, ok bool) {
	var cancel context.CancelFunc
	if l.deps.BusLock == nil {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	l.device.allow(timeout)
	done := make(chan outcome, 1)
	go func() { // awaited below or, once stuck, by Run
		defer cancel()
		done <- f(ctx)
	}()
	timer := time.NewTimer(timeout + grace)
	defer timer.Stop()
	l.deps.Beat(timeout + grace)
	ended := ctx.Done()
	for {
		select {
		case o := <-done:
			return o, true
		case <-ended:
			ended = nil
			l.await(timer, grace)
			continue
		case <-timer.C:
		}
		if left := time.Duration(l.device.until.Load()) + grace - l.deps.Up(); ended != nil && left > 0 {
			l.await(timer, left) // it has gone on to another step
			continue
		}
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
	l.retry = l.deps.Up() + l.delay(limit)
}

// delay is how long to wait after the failures so far, give or take a quarter: the sensors of a bus
// that failed together must not come back together.
func (l *loop) delay(limit time.Duration) time.Duration {
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
	return d*3/4 + time.Duration(l.deps.Random()*float64(d/2))
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
