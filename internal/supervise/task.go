package supervise

import (
	"context"
	"fmt"
	"sync"
)

// A Task is one long-running part. Run returns nil when its context ends.
type Task struct {
	Name string
	Run  func(context.Context) error
}

// Start starts tasks, each in a goroutine of its own, and returns what waits for them. The first
// that fails stops everything by stop.
func Start(ctx context.Context, stop context.CancelCauseFunc, tasks []Task) *sync.WaitGroup {
	group := new(sync.WaitGroup)
	for _, t := range tasks {
		group.Go(func() {
			if err := t.Run(ctx); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", t.Name, err))
			}
		})
	}
	return group
}
