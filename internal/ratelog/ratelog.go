// Package ratelog bounds what somebody outside can make the program log: of records of one kind
// only the first few within a period are passed on, the others are counted, and the count is
// logged.
package ratelog

import (
	"context"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"time"
)

// maxKinds is how many kinds are counted apart; what comes beyond them is counted together.
const maxKinds = 256

// A Handler limits the records of each kind: those of one level, one message and the same values of
// the attributes named by By. It starts no goroutine: what was left out is logged by Flush, which
// its owner calls now and then and at the end.
type Handler struct {
	next   slog.Handler
	counts *counts
}

// counts is what all handlers made of one have in common.
type counts struct {
	burst  int
	period time.Duration
	by     []string
	out    slog.Handler // without the attributes of the handlers made of it

	mu    sync.Mutex
	kinds map[string]*kind
}

// kind counts the records of one kind within a period.
type kind struct {
	level   slog.Level
	message string
	began   time.Time
	seen    int
	left    int // out
}

// New passes burst records of each kind within a period on to next. Kinds that differ in the value
// of an attribute in by are counted apart.
func New(next slog.Handler, burst int, period time.Duration, by ...string) *Handler {
	return &Handler{next: next, counts: &counts{burst: burst, period: period, by: by, out: next, kinds: map[string]*kind{}}}
}

// ForPeers is New for what others can make a gateway log: 10 records of each kind in a minute.
func ForPeers(next slog.Handler, by ...string) *Handler { return New(next, 10, time.Minute, by...) }

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler; the limits are shared with h.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.counts}
}

// WithGroup implements slog.Handler; the limits are shared with h.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.counts}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if !h.counts.pass(r) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// Flush logs how many records were left out, of each kind whose period has ended; of all kinds if
// all is set.
func (h *Handler) Flush(ctx context.Context, all bool) {
	for _, k := range h.counts.due(all) {
		r := slog.NewRecord(time.Now(), k.level, k.message, 0)
		r.AddAttrs(slog.Int("more_like_this", k.left))
		_ = h.counts.out.Handle(ctx, r)
	}
}

// pass counts a record and reports whether it is to be logged.
func (c *counts) pass(r slog.Record) bool {
	key := c.key(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kinds[key]
	if k == nil {
		if len(c.kinds) >= maxKinds {
			key = ""
		}
		if k = c.kinds[key]; k == nil {
			k = &kind{level: r.Level, message: r.Message, began: r.Time}
			if key == "" {
				k.message = "records of many kinds"
			}
			c.kinds[key] = k
		}
	}
	if r.Time.Sub(k.began) >= c.period && k.left == 0 {
		k.began, k.seen = r.Time, 0
	}
	if k.seen < c.burst {
		k.seen++
		return true
	}
	k.left++
	return false
}

// due takes the kinds out whose count is to be logged.
func (c *counts) due(all bool) []kind {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []kind
	for key, k := range c.kinds {
		if !all && now.Sub(k.began) < c.period {
			continue
		}
		if k.left > 0 {
			out = append(out, *k)
		}
		delete(c.kinds, key)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].message < out[j].message })
	return out
}

func (c *counts) key(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Level.String() + "\x00" + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		for _, name := range c.by {
			if a.Key == name {
				b.WriteString("\x00" + a.Value.String())
			}
		}
		return true
	})
	return b.String()
}
