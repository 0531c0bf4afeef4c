// Package quiet limits log lines that a peer can cause: of each kind, which is its constant text, a few a minute are written, and the next one
// after that says how many were not.
package quiet

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	most  = 10 // lines of a kind
	every = time.Minute
)

// handler passes on what is within the limit. Those made of it by With count together with it.
type handler struct {
	slog.Handler
	limits *limits
}

type limits struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	until   time.Time // when its next minute begins
	written int
	dropped int
}

// Handler returns a handler that gives h its records within the limit.
func Handler(h slog.Handler) slog.Handler {
	return handler{h, &limits{kinds: map[string]*kind{}}}
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	dropped, ok := h.limits.take(r.Message, r.Time)
	if !ok {
		return nil
	}
	if dropped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("not_logged", dropped))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.limits}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.limits}
}

// take reports whether a line may be written, and how many of its kind were not before it.
func (l *limits) take(message string, now time.Time) (dropped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[message]
	if k == nil {
		k = &kind{}
		l.kinds[message] = k
	}
	if !now.Before(k.until) {
		k.until, k.written = now.Add(every), 0
	}
	if k.written == most {
		k.dropped++
		return 0, false
	}
	k.written++
	dropped, k.dropped = k.dropped, 0
	return dropped, true
}
