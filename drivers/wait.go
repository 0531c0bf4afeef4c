package drivers

import (
	"context"
	"time"
)

// Wait returns nil after d, for example the time that a device needs to measure or to start. If ctx
// ends first, it returns the error of ctx at once.
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
