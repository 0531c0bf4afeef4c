package sampling

import (
	"context"
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
)

// ErrNotWritable says that the sensor's driver has nothing that can be written.
var ErrNotWritable = errors.New("the sensor has no writable fields")

// Write sets fields of an actuator, in their order, to values as its driver takes them, and returns
// what a reading after that says, as ReadNow does. It stops at the first that fails: those before
// it are set, the failed one may be. Otherwise it fails as ReadNow does.
func (s *Sampler) Write(ctx context.Context, values []drivers.Value) ([]drivers.Value, error) {
	if len(values) == 0 {
		return nil, errors.New("no value to write")
	}
	return s.ask(ctx, values)
}

// write sets fields and makes one reading.
func (d *device) write(ctx context.Context, values []drivers.Value) (o outcome) {
	if !d.open(ctx, &o) {
		return o
	}
	if o.writeErr = d.writeAll(ctx, values); o.writeErr != nil {
		return o
	}
	o = d.single(ctx)
	if o.err != nil {
		o.writeErr = fmt.Errorf("it was set; reading it back failed: %w", o.err)
	}
	return o
}

func (d *device) writeAll(ctx context.Context, values []drivers.Value) error {
	w, ok := d.driver.(drivers.Writer)
	if !ok {
		return ErrNotWritable
	}
	d.doing.Store(int32(writing))
	return d.onBus(ctx, d.timeout, func(ctx context.Context) error {
		for _, v := range values {
			if err := w.Write(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
}
