package drivers

import (
	"context"
	"time"
)

// Wait waits for d, the time that a device needs to measure or to start, and returns nil. If ctx
// ends before, or has ended already, it returns the error of ctx at once.
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
