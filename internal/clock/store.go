package clock

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

const bucket = "clock"

// offsets keeps the offsets of kernel boots in the store.
type offsets struct{ store *buffer.Store }

// In returns the keeper of offsets in a store.
func In(store *buffer.Store) Store { return offsets{store} }

// Offset implements Store.
func (o offsets) Offset(boot string) (Offset, bool, error) {
	text, err := o.store.Get(context.Background(), bucket, boot)
	if err != nil || text == nil {
		return Offset{}, false, err
	}
	kept, err := parse(text)
	return kept, err == nil, err
}

// parse reads what Freeze writes: offset, source and uncertainty. It is short, since a store that
// is full to the brim must have room for it.
func parse(text []byte) (o Offset, err error) {
	parts := strings.Fields(string(text))
	if len(parts) != 3 {
		return o, fmt.Errorf("%q is not an offset of the clock", text)
	}
	if o.Boot, err = time.ParseDuration(parts[0]); err == nil {
		o.Uncertainty, err = time.ParseDuration(parts[2])
	}
	o.Source = parts[1]
	return o, err
}

// Freeze implements Store. While the store has no file there is nothing that a later start could
// send again with another time: then nothing is kept, and Keep is called when it has one.
func (o offsets) Freeze(boot string, offset Offset) error {
	if !o.store.IsOpen() {
		return nil
	}
	text := fmt.Sprintf("%v %s %v", offset.Boot, offset.Source, offset.Uncertainty)
	return o.store.Put(context.Background(), bucket, boot, []byte(text))
}

// Last returns the latest time that was known: the power-up of an earlier kernel; the zero time if
// none was.
func Last(ctx context.Context, store *buffer.Store) (last time.Time) {
	_ = store.Each(ctx, bucket, func(_ string, text []byte) error { // what cannot be read was not known
		if o, err := parse(text); err == nil && time.Unix(0, int64(o.Boot)).After(last) {
			last = time.Unix(0, int64(o.Boot))
		}
		return nil
	})
	return last
}
