package sampling

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// A BusLock lets one of the sensors on a bus measure at a time. A sensor that waits for it longer than its deadline fails with
// an error that names the one in its way. A nil *BusLock locks nothing.
type BusLock struct {
	token  chan struct{}
	holder atomic.Pointer[string]
}

// NewBusLock returns the lock for one bus, to be shared by the samplers of its sensors.
func NewBusLock() *BusLock { return &BusLock{token: make(chan struct{}, 1)} }

// errBusy is a failure that is not the sensor's own.
var errBusy = errors.New("bus is busy")

func (l *BusLock) lock(ctx context.Context, sensor *string) error {
	if l == nil {
		return nil
	}
	select {
	case l.token <- struct{}{}:
		l.holder.Store(sensor)
		return nil
	default:
	}
	select {
	case l.token <- struct{}{}:
		l.holder.Store(sensor)
		return nil
	case <-ctx.Done():
		holder := "another one"
		if h := l.holder.Load(); h != nil {
			holder = *h
		}
		return fmt.Errorf("%w: sensor %s has not finished with it: %w", errBusy, holder, ctx.Err())
	}
}

func (l *BusLock) unlock() {
	if l != nil {
		<-l.token
	}
}
