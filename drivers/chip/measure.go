package chip

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// looks is how often WaitReady looks after the time that the data sheet gives, a millisecond apart.
const looks = 10

// WaitReady waits for d, the longest time that something takes by the data sheet, and then until ready says so.
func WaitReady(ctx context.Context, d time.Duration, ready func() (bool, error)) error {
	for range looks {
		if err := drivers.Wait(ctx, d); err != nil {
			return err
		}
		if ok, err := ready(); ok || err != nil {
			return err
		}
		d = time.Millisecond
	}
	return fmt.Errorf("the chip is still busy %d ms after it should have been ready", looks-1)
}

// Field describes a field of kind float.
func Field(name string, q drivers.Quantity, doc string) drivers.Field {
	return drivers.Field{Name: name, Unit: q.Unit(), Kind: drivers.KindFloat, Doc: doc}
}

// Measured returns v rounded to 1/perUnit, which takes away the digits that mean nothing. Where it is not within low and high, the
// limits of what the chip can measure, it is Bad.
func Measured(field string, v, low, high, perUnit float64) drivers.Value {
	if !(v >= low && v <= high) {
		return drivers.Bad(field, "range")
	}
	return drivers.Float(field, math.Round(v*perUnit)/perUnit)
}
