package clock

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

const bucket = "clock"

// offsets keeps the offsets of kernel boots in the store.
type offsets struct{ store *buffer.Store }

// In returns the keeper of offsets in a store.
func In(store *buffer.Store) Store { return offsets{store} }

// Offset implements Store.
func (o offsets) Offset(boot string) (time.Duration, bool, error) {
	text, err := o.store.Get(context.Background(), bucket, boot)
	if err != nil || text == nil {
		return 0, false, err
	}
	d, err := time.ParseDuration(string(text))
	return d, err == nil, err
}

// Freeze implements Store.
func (o offsets) Freeze(boot string, offset time.Duration) error {
	return o.store.Update(context.Background(), func(tx *buffer.Tx) error { return tx.Put(bucket, boot, []byte(offset.String())) })
}

// Last returns the latest time that was known: the power-up of an earlier kernel; the zero time where none was.
func Last(ctx context.Context, store *buffer.Store) (last time.Time) {
	_ = store.Each(ctx, bucket, func(_ string, text []byte) error { // what cannot be read was not known
		if d, err := time.ParseDuration(string(text)); err == nil && time.Unix(0, int64(d)).After(last) {
			last = time.Unix(0, int64(d))
		}
		return nil
	})
	return last
}

// Boots gives the readings of a store their time: it knows in which kernel boot each of the program's boots ran.
type Boots struct {
	clock *Clock
	store *buffer.Store
	until time.Duration // on the clock of Clock.Up: so long sending waits for a clock

	mu    sync.Mutex
	known map[uint32]string
}

// NewBoots makes the clock of a store's boots. Pending is false from the moment until on.
func NewBoots(c *Clock, store *buffer.Store, until time.Duration) *Boots {
	return &Boots{clock: c, store: store, until: until, known: map[uint32]string{}}
}

// Time returns the wall time of a moment of one of the program's boots; false where it is not known.
func (b *Boots) Time(boot uint32, up time.Duration) (time.Time, bool) {
	b.mu.Lock()
	kernel, ok := b.known[boot]
	b.mu.Unlock()
	if !ok {
		if kernel, ok = b.store.BootInfo(boot); !ok {
			return time.Time{}, false
		}
		b.mu.Lock()
		b.known[boot] = kernel
		b.mu.Unlock()
	}
	return b.clock.Time(kernel, up)
}

// SincePowerUp returns the program's boots since the kernel started, oldest first.
func (b *Boots) SincePowerUp() []uint32 {
	var boots []uint32
	for boot := b.store.Boot(); boot > 0; boot-- {
		if kernel, ok := b.store.BootInfo(boot); !ok || kernel != b.clock.Boot() {
			break
		}
		boots = append(boots, boot)
	}
	slices.Reverse(boots)
	return boots
}

// Pending tells whether the time of a boot may still become known soon.
func (b *Boots) Pending(boot uint32) bool { return b.Wait(boot) > 0 }

// Wait returns how long sending still waits for the time of a boot.
func (b *Boots) Wait(boot uint32) time.Duration {
	if _, known := b.Time(boot, 0); known {
		return 0
	}
	return max(b.until-b.clock.Up(), 0)
}
