package sampling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// busWait is how long a sensor waits for its turn on the bus.
	busWait = 10 * time.Second
	// precedence is how long sensors that work go before one that does not, at least.
	precedence = 5 * time.Second
)

// A BusLock lets one of the sensors on a bus have it at a time, in the order in which they ask; but
// those whose last reading succeeded go first, so that they wait for one dead device at most and
// not for all of them. A nil *BusLock locks nothing.
type BusLock struct {
	mu     sync.Mutex
	holder *string   // nil: nobody, and then nobody waits
	works  bool      // the holder's last reading succeeded
	ended  time.Time // when one whose last reading did not succeed last let go
	// They wait. There is one entry for each sensor of the bus at most.
	working, others []*waiter
}

// A waiter is a sensor that waits for its turn.
type waiter struct {
	sensor *string
	asked  time.Time
	come   chan struct{} // closed when the bus is the sensor's
}

// NewBusLock returns the lock for one bus, to be shared by the samplers of its sensors.
func NewBusLock() *BusLock { return new(BusLock) }

// errBusy says that a sensor did not get its turn, which says nothing of the sensor.
var errBusy = errors.New("bus is busy")

// lock waits for the sensor's turn, for busWait at most. An error names the sensor in its way.
func (l *BusLock) lock(ctx context.Context, sensor *string, works bool) error {
	l.mu.Lock()
	if l.holder == nil {
		l.holder, l.works = sensor, works
		l.mu.Unlock()
		return nil
	}
	queue := &l.others
	if works {
		queue = &l.working
	}
	t := &waiter{sensor, time.Now(), make(chan struct{})}
	*queue = append(*queue, t)
	l.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, busWait)
	defer cancel()
	select {
	case <-t.come:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(*queue, t)
	if i < 0 { // it came meanwhile
		return nil
	}
	*queue = slices.Delete(*queue, i, i+1)
	return fmt.Errorf("%w: sensor %s has not finished with it: %w", errBusy, *l.holder, ctx.Err())
}

// unlock passes the bus on.
func (l *BusLock) unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.works {
		l.ended = time.Now()
	}
	queue := &l.working
	l.works = len(l.working) > 0 && !l.othersFirstLocked()
	if !l.works {
		queue = &l.others
	}
	if len(*queue) == 0 {
		l.holder = nil
		return
	}
	next := (*queue)[0]
	*queue = slices.Delete(*queue, 0, 1)
	l.holder = next.sensor
	close(next.come)
}

// othersFirstLocked reports whether one that does not work has waited long enough to go before
// those that do, none of which has waited for another such one already.
func (l *BusLock) othersFirstLocked() bool {
	return len(l.others) > 0 && time.Since(l.others[0].asked) >= precedence && l.working[0].asked.After(l.ended)
}
