package clock

import (
	"context"
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

// Freeze implements Store. While the store has no file there is nothing that a later start could
// send again with another time: then nothing is kept, and Keep is called when it has one.
func (o offsets) Freeze(boot string, offset time.Duration) error {
	if !o.store.IsOpen() {
		return nil
	}
	return o.store.Put(context.Background(), bucket, boot, []byte(offset.String()))
}

// Last returns the latest time that was known: the power-up of an earlier kernel; the zero time if
// none was.
func Last(ctx context.Context, store *buffer.Store) (last time.Time) {
	_ = store.Each(ctx, bucket, func(_ string, text []byte) error { // what cannot be read was not known
		if d, err := time.ParseDuration(string(text)); err == nil && time.Unix(0, int64(d)).After(last) {
			last = time.Unix(0, int64(d))
		}
		return nil
	})
	return last
}
