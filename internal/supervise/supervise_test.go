package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/supervise"
)

// watched runs a Watch in a bubble; fed counts.
func watched(t *testing.T) (w *supervise.Watch, fed *atomic.Int64, log *bytes.Buffer) {
	fed, log = new(atomic.Int64), new(bytes.Buffer)
	w = supervise.New(supervise.Config{Feed: func() { fed.Add(1) }, Every: 30 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(w.Start())
	return w, fed, log
}

func feeds(fed *atomic.Int64, d time.Duration) int64 {
	before := fed.Load()
	time.Sleep(d)
	synctest.Wait()
	return fed.Load() - before
}

func TestAStuckPartStopsTheFeeding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, fed, log := watched(t)
		store, quick := w.Part("store"), w.Part("sensor quick")
		w.Part("not begun")
		stop := make(chan struct{})
		go func() {
			for {
				quick.Beat(time.Second)
				select {
				case <-stop:
					return
				case <-time.After(time.Second):
				}
			}
		}()
		defer close(stop)
		store.Beat(time.Hour) // waits for work
		if n := feeds(fed, time.Hour+supervise.Bound); n < 3890 {
			t.Fatalf("fed %d times while it waited", n)
		}
		store.Beat(0) // begins with something
		if n := feeds(fed, supervise.Bound-time.Second); n < 298 || fmt.Sprint(w.Trouble()) != "[the part store has not gone on for 4m59s; after 5m0s the watchdog starts the service again]" {
			t.Fatalf("fed %d times while a piece of work took less than the bound: %v", n, w.Trouble())
		}
		time.Sleep(3 * time.Second)
		if n := feeds(fed, time.Minute); n != 0 || len(w.Trouble()) != 1 || !strings.HasPrefix(w.Trouble()[0], "the part store is stuck") {
			t.Fatalf("fed %d times while the store was stuck: %v", n, w.Trouble())
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "part=store") {
			t.Errorf("log: %s", log)
		}
		<-w.Changed()
		store.Beat(time.Hour)
		if n := feeds(fed, time.Minute); n < 59 || len(w.Trouble()) > 0 || !strings.Contains(log.String(), "goes on") {
			t.Errorf("fed %d times after it went on: %s", n, log)
		}
	})
}

// A promise for ever is one: a sensor that is disabled waits for its settings.
func TestNoEndOfAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, fed, _ := watched(t)
		time.Sleep(time.Hour)
		w.Part("sensor").Beat(1<<63 - 1)
		w.Part("late").Beat(-100 * time.Hour) // by a clock that went on while the machine slept
		if n := feeds(fed, supervise.Slow-time.Second); n < 28 || len(w.Trouble()) > 0 {
			t.Errorf("fed %d times: %v", n, w.Trouble())
		}
	})
}

func TestBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := watched(t)
		a, b := w.Part("a"), w.Part("b")
		var begun atomic.Bool
		go func() { begun.Store(w.Begun(t.Context())) }()
		a.Beat(0)
		synctest.Wait()
		if begun.Load() {
			t.Error("begun before all parts have")
		}
		b.Beat(0)
		b.Beat(0)
		synctest.Wait()
		if !begun.Load() {
			t.Error("all parts have begun")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.Part("never")
		if w.Begun(ctx) {
			t.Error("begun after the end")
		}
	})
}

func TestTheFirstThatFailsStopsTheOthers(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	broken := errors.New("broken")
	wait := func(ctx context.Context) error { <-ctx.Done(); return nil }
	supervise.Start(ctx, stop, []supervise.Task{{Name: "a", Run: wait}, {Name: "b", Run: func(context.Context) error { return broken }}}).Wait()
	if err := context.Cause(ctx); !errors.Is(err, broken) || err.Error() != "b: broken" {
		t.Errorf("got %v", err)
	}
}
