package chip

import (
	"context"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// tries is how often WaitReady asks after the time that the data sheet gives, a millisecond apart.
const tries = 10

// WaitReady waits for d, the longest time that something takes by the data sheet, and then until
// ready says so.
func WaitReady(ctx context.Context, d time.Duration, ready func() (bool, error)) error {
	for range tries {
		if err := drivers.Wait(ctx, d); err != nil {
			return err
		}
		if ok, err := ready(); ok || err != nil {
			return err
		}
		d = time.Millisecond
	}
	return fmt.Errorf("the chip is still busy %d ms after it should have been ready", tries-1)
}
