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

// repeatAfter is when a failed reading is repeated, and shortRepeat the interval from which on that is worth its time.
const (
	repeatAfter = 10 * time.Millisecond
	shortRepeat = 100 * time.Millisecond
)

// A device is what a worker works with: nobody else touches it while there is one.
type device struct {
	config *Config
	deps   *Deps
	driver drivers.Driver // nil while closed
	chain  *filter.Chain
	still  stillness
	doing  atomic.Int32 // an activity, for whoever waits in vain
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

	lastOK  time.Duration
	values  []drivers.Value // of a single reading
	err     error           // why the last attempt failed
	frozen  bool            // no field has changed for too long
	missing bool            // the attempt was to open the driver
	stored  bool            // the sink was called
	sinkErr error           // what it said last

	writeErr error // why a value could not be written; it says nothing of the sensor, the next reading does
}

// open opens the driver if that is not open, and leaves in o why it is not.
func (d *device) open(ctx context.Context, o *outcome) (ok bool) {
	if d.driver != nil {
		return true
	}
	d.doing.Store(int32(opening))
	o.err = d.deps.BusLock.lock(ctx, &d.config.Name)
	if o.err == nil {
		defer d.deps.BusLock.unlock()
		d.driver, o.err = d.config.Open(ctx)
		o.missing = o.err != nil
	}
	if o.err != nil {
		d.driver = nil
		o.failures++
		return false
	}
	d.still = stillness{}
	d.chain.Force() // the receiver shall see that it is there
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

// sample makes n readings and gives them to the sink. It opens the driver first if it must, also where n is 0.
func (d *device) sample(ctx context.Context, n int, repeat bool) (o outcome) {
	if !d.open(ctx, &o) {
		return o
	}
	for i := range n {
		values := d.read(ctx, repeat, &o)
		if o.err != nil {
			o.skipped = uint64(n - i - 1)
			return o
		}
		if !d.chain.Apply(o.lastOK, values) {
			o.filtered++
			continue
		}
		d.doing.Store(int32(storing))
		o.stored = true
		if o.sinkErr = d.deps.Sink(ctx, d.config.Name, o.lastOK, values); o.sinkErr != nil {
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
		d.chain.Convert(values)
		o.values = slices.Clone(values)
	}
	return o
}

// read measures once, with one repetition if repeat is set, and leaves in o how that ended.
func (d *device) read(ctx context.Context, repeat bool, o *outcome) []drivers.Value {
	values, err := d.readOnce(ctx)
	if err != nil && repeat && ctx.Err() == nil && !errors.Is(err, os.ErrClosed) && drivers.Wait(ctx, repeatAfter) == nil {
		o.failures++
		values, err = d.readOnce(ctx)
	}
	o.err = err
	if err != nil {
		o.failures++
		return nil
	}
	o.reads++
	o.lastOK = d.deps.Up()
	if after := d.config.FrozenAfter; after > 0 {
		o.frozen = d.still.since(o.lastOK, values, after)
	}
	return values
}

func (d *device) readOnce(ctx context.Context) ([]drivers.Value, error) {
	d.doing.Store(int32(reading))
	if err := d.deps.BusLock.lock(ctx, &d.config.Name); err != nil {
		return nil, err
	}
	defer d.deps.BusLock.unlock()
	values, err := d.driver.Read(ctx)
	if err == nil && len(values) == 0 {
		err = errors.New("the driver returned no fields")
	}
	return values, err
}
