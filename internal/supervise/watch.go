package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Bound is how long one piece of a part's work may take: a commit on the slowest card, or what
	// waits for it. Cards that collect their garbage take seconds, broken ones a minute.
	Bound = 5 * time.Minute

	// Slow is after how long a piece of work is reported.
	Slow = 30 * time.Second

	// look is how often the parts are looked at.
	look = time.Second
)

// A Watch watches over the parts of a program. Its methods may be called from any goroutine.
type Watch struct {
	cfg   Config
	lived atomic.Int64 // nanoseconds that it has seen
	news  chan struct{}

	mu    sync.Mutex
	parts []*Part
}

// Config is what a Watch is made of.
type Config struct {
	Feed  func()        // feeds the watchdog
	Every time.Duration // between two calls of Feed, at most; 0: nobody waits for them
	Log   *slog.Logger
}

// A Part is one long-running part.
type Part struct {
	name  string
	watch *Watch
	due   atomic.Int64  // when the wait before the next Beat ends, in the time of the watch
	begun chan struct{} // closed at the first Beat
	once  sync.Once
	state state // as it was reported
}

type state int

const (
	works state = iota
	slow
	stuck
)

// New makes a Watch, which does nothing before Start.
func New(c Config) *Watch { return &Watch{cfg: c, news: make(chan struct{}, 1)} }

// Changed returns a channel on which a value arrives when a part is stuck, or is not any more.
func (w *Watch) Changed() <-chan struct{} { return w.news }

// Part returns a new part, which is not watched before its first Beat.
func (w *Watch) Part(name string) *Part {
	p := &Part{name: name, watch: w, begun: make(chan struct{})}
	p.due.Store(math.MaxInt64)
	w.mu.Lock()
	w.parts = append(w.parts, p)
	w.mu.Unlock()
	return p
}

// Beat says that the part works, and promises that the next Beat comes when it has waited for wait
// and has done a piece of work.
func (p *Part) Beat(wait time.Duration) {
	now := p.watch.lived.Load()
	p.due.Store(now + min(max(int64(wait), 0), math.MaxInt64-now))
	p.once.Do(func() { close(p.begun) })
}

// Begun waits until every part has begun its work; false: ctx ended before.
func (w *Watch) Begun(ctx context.Context) bool {
	for _, p := range w.all() {
		select {
		case <-p.begun:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// Start feeds the watchdog as long as no part is stuck, in a goroutine that stop ends and waits
// for.
func (w *Watch) Start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { w.run(ctx) })
	return func() { cancel(); group.Wait() }
}

func (w *Watch) run(ctx context.Context) {
	every := look
	if w.cfg.Every > 0 {
		every = min(every, w.cfg.Every)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if !w.look() {
			w.cfg.Feed()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.lived.Add(int64(every))
		}
	}
}

// look reports whether a part is stuck, and logs changes.
func (w *Watch) look() (any bool) {
	for _, p := range w.all() {
		late, now := p.late()
		any = any || now == stuck
		if now == p.state {
			continue
		}
		switch p.state = now; now {
		case works:
			w.cfg.Log.Info("a part of the gateway goes on", "part", p.name)
		case slow:
			w.cfg.Log.Warn("a part of the gateway does not go on", "part", p.name, "for", late)
		case stuck:
			w.cfg.Log.Error("a part of the gateway is stuck: the watchdog is not fed any more, and systemd starts the service again", "part", p.name, "for", late)
		}
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
	return any
}

// Trouble says which parts are slow or stuck, a sentence each.
func (w *Watch) Trouble() (list []string) {
	for _, p := range w.all() {
		switch late, now := p.late(); now {
		case slow:
			list = append(list, fmt.Sprintf("the part %s has not gone on for %v; after %v the watchdog starts the service again", p.name, late.Round(time.Second), Bound))
		case stuck:
			list = append(list, fmt.Sprintf("the part %s is stuck, it has not gone on for %v: the watchdog starts the service again", p.name, late.Round(time.Second)))
		}
	}
	return list
}

// late returns for how long a Beat is overdue, and what that means.
func (p *Part) late() (time.Duration, state) {
	late := time.Duration(p.watch.lived.Load() - p.due.Load())
	switch {
	case late > Bound:
		return late, stuck
	case late > Slow:
		return late, slow
	}
	return 0, works
}

func (w *Watch) all() []*Part {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts
}
