package control

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	maxTails  = 8   // callers of Tail at a time
	tailAhead = 256 // readings that wait for a slow caller; then it misses some
)

// A Hub hands readings to those who follow them. Publishing never blocks and costs nothing while
// nobody does.
type Hub struct {
	watched atomic.Int32
	mu      sync.Mutex
	tails   map[chan contract.Telemetry]bool
}

// Watched reports whether anybody is following: otherwise there is no need to make a
// contract.Telemetry.
func (h *Hub) Watched() bool { return h.watched.Load() > 0 }

// Publish hands e to all who look on; who is too slow misses it.
func (h *Hub) Publish(e contract.Telemetry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.tails {
		select {
		case c <- e:
		default:
		}
	}
}

// Tail calls line for every reading that is published until ctx ends or line returns an error.
func (h *Hub) Tail(ctx context.Context, line func(contract.Telemetry) error) error {
	c := make(chan contract.Telemetry, tailAhead)
	h.mu.Lock()
	if len(h.tails) >= maxTails {
		h.mu.Unlock()
		return errors.New("too many clients are following already")
	}
	if h.tails == nil {
		h.tails = map[chan contract.Telemetry]bool{}
	}
	h.tails[c] = true
	h.watched.Add(1)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.tails, c)
		h.watched.Add(-1)
		h.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-c:
			if err := line(e); err != nil {
				return err
			}
		}
	}
}
