package drivers

import (
	"context"
	"time"
)

// Wait returns nil after d, the time that a device needs to measure or to start, or the error of
// ctx as soon as that ends.
func Wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
