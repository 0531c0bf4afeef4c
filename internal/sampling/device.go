package sampling

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/filter"
)

// repeatAfter is when a failed reading is repeated, and shortRepeat the interval from which on that
// is worth its time.
const (
	repeatAfter = 10 * time.Millisecond
	shortRepeat = 100 * time.Millisecond
)

// A device is what a worker works with: nobody else touches it while there is one.
type device struct {
	config  *Config
	deps    *Deps
	driver  drivers.Driver // nil while closed
	chain   *filter.Chain
	still   stillness
	faults  faults
	timeout time.Duration // of a reading
	works   bool          // the last reading succeeded

	doing atomic.Int32 // an activity, for the one who waits in vain
	until atomic.Int64 // since power-up, in nanoseconds: when to be done with it
}

// An activity is what a worker is doing.
type activity int32

const (
	opening activity = iota
	reading
	writing
	storing
	closing
)

func (a activity) String() string { return [...]string{"open", "read", "write", "store", "close"}[a] }

// An outcome is what a worker reports.
type outcome struct {
	reads, failures, skipped, filtered, rejected uint64

	lastOK   time.Duration
	values   []drivers.Value // of a single reading
	err      error           // why the last attempt failed
	frozen   bool            // no field has changed for too long
	noValues bool            // no field has had a value for too many readings
	bad      map[string]string
	badSet   int
	missing  bool  // the attempt was to open the driver
	stored   bool  // the sink was called
	sinkErr  error // what it said last

	// why a value could not be written; it says nothing of the sensor, the next reading does
	writeErr error
}

// open opens the driver if that is not open, and leaves in o why it is not.
func (d *device) open(ctx context.Context, o *outcome) (ok bool) {
	if d.driver != nil {
		return true
	}
	d.doing.Store(int32(opening))
	o.err = d.onBus(ctx, openTimeout, func(ctx context.Context) (err error) {
		d.driver, err = d.config.Open(ctx)
		o.missing = err != nil
		return err
	})
	if o.err != nil {
		d.driver = nil
		if !errors.Is(o.err, errBusy) {
			o.failures++
		}
		return false
	}
	d.still = stillness{}
	d.chain.Force() // the receiver is to see that it is there
	return true
}

func (d *device) close() error {
	if d.driver == nil {
		return nil
	}
	d.doing.Store(int32(closing))
	driver := d.driver
	d.driver = nil
	return driver.Close()
}

// sample makes n readings and gives them to the sink. It opens the driver first if it must, also if
// n is 0.
func (d *device) sample(ctx context.Context, n int, repeat bool) (o outcome) {
	if !d.open(ctx, &o) {
		if n > 0 && errors.Is(o.err, errBusy) {
			o.skipped = uint64(n)
		}
		return o
	}
	for i := range n {
		values := d.read(ctx, repeat, &o)
		if o.err != nil {
			o.skipped = uint64(n - i - 1)
			if errors.Is(o.err, errBusy) {
				o.skipped++
			}
			return o
		}
		values, keep := d.chain.Apply(o.lastOK, values)
		d.note(values, &o)
		if d.deps.OnReading != nil {
			d.deps.OnReading(o.lastOK, values)
		}
		if !keep {
			o.filtered++
			continue
		}
		d.doing.Store(int32(storing))
		o.stored = true
		o.sinkErr = d.within(ctx, d.timeout, func(ctx context.Context) error { return d.deps.Sink(ctx, d.config.Name, o.lastOK, values) })
		if o.sinkErr != nil {
			o.rejected++
			d.chain.Force()
		}
	}
	return o
}

// single makes one reading for ReadNow.
func (d *device) single(ctx context.Context) (o outcome) {
	if !d.open(ctx, &o) {
		return o
	}
	if values := d.read(ctx, true, &o); o.err == nil {
		values = d.chain.Convert(values)
		d.note(values, &o)
		o.values = slices.Clone(values)
	}
	return o
}

// note leaves in o which fields of a reading have no value.
func (d *device) note(values []drivers.Value, o *outcome) {
	d.faults.note(d.chain, o.lastOK, values)
	o.bad, o.badSet, o.noValues = d.faults.why, d.faults.set, d.faults.noValues >= noValueReadings
}

// read measures once, with one repetition if repeat is set, and leaves in o how that ended.
func (d *device) read(ctx context.Context, repeat bool, o *outcome) []drivers.Value {
	values, err := d.readOnce(ctx)
	if err != nil && repeat && ctx.Err() == nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, errBusy) && drivers.Wait(ctx, repeatAfter) == nil {
		d.works = false // those that work go first
		again, e := d.readOnce(ctx)
		if !errors.Is(e, errBusy) { // else the first error stands: it is the sensor's own
			o.failures++
			values, err = again, e
		}
	}
	o.err = err
	if err != nil {
		if !errors.Is(err, errBusy) {
			o.failures++
		}
		return nil
	}
	o.reads++
	o.lastOK = d.deps.Up()
	if after := d.config.FrozenAfter; after > 0 {
		o.frozen = d.still.since(o.lastOK, values, after)
	}
	return values
}

func (d *device) readOnce(ctx context.Context) (values []drivers.Value, err error) {
	d.doing.Store(int32(reading))
	err = d.onBus(ctx, d.timeout, func(ctx context.Context) (err error) {
		values, err = d.driver.Read(ctx)
		return err
	})
	if err == nil && len(values) == 0 {
		err = errors.New("the driver returned no fields")
	}
	return values, err
}

// onBus does f when it is the sensor's turn on the bus, within the timeout from then on.
func (d *device) onBus(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	if lock := d.deps.BusLock; lock != nil {
		d.allow(busWait)
		if err := lock.lock(ctx, &d.config.Name, d.works); err != nil {
			return err
		}
		defer lock.unlock()
	}
	return d.within(ctx, timeout, f)
}

// within does f within the timeout. A sensor that has its bus for itself waits for nobody: there
// ctx has one deadline for all that a worker does.
func (d *device) within(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	if d.deps.BusLock == nil {
		return f(ctx)
	}
	d.allow(timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return f(ctx)
}

// allow says how long it may take from now on what the worker is doing.
func (d *device) allow(t time.Duration) { d.until.Store(int64(d.deps.Up() + t)) }
