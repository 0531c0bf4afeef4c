package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

// rig is a runner on a real store; open may be called again, as after a restart.
type rig struct {
	t      *testing.T
	path   string
	began  time.Time
	store  *buffer.Store
	runner *Runner
	runs   atomic.Int32
	block  chan struct{} // `slow` waits for it
	after  atomic.Int32

	maxBytes int64 // of the store; 0: the default
	allowed  []string
}

// keep is how long the ledger of a rig forgets nothing.
const keep = 24 * time.Hour

func expiry(d time.Duration) *time.Duration { return &d }

func newRig(t *testing.T) *rig { return newRigOf(t, 0) }

func newRigOf(t *testing.T, maxBytes int64) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "q.db"), began: time.Now(), block: make(chan struct{}), maxBytes: maxBytes, allowed: []string{"look", "do", "fail", "slow", "large"}}
	r.open()
	return r
}

func (r *rig) up() time.Duration { return time.Since(r.began) + time.Hour }

func (r *rig) open() {
	r.t.Helper()
	var err error
	r.store, err = buffer.Open(r.t.Context(), r.path, buffer.Options{MaxBytes: r.maxBytes, Machine: "m", KernelBoot: "k", Up: r.up, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	count := func(_ context.Context, _ Host, args json.RawMessage) (any, error) {
		return map[string]any{"run": r.runs.Add(1), "args": args}, nil
	}
	r.runner, err = New(r.t.Context(), Config{
		Commands: []Spec{
			{Name: "look", Timeout: time.Second, Harmless: true, Run: count},
			{Name: "do", Timeout: time.Second, Run: count, After: func(Host) { r.after.Add(1) }},
			{Name: "fail", Timeout: time.Second, Run: func(context.Context, Host, json.RawMessage) (any, error) {
				return nil, &Error{"no-water", errors.New("the pump runs dry")}
			}},
			{Name: "slow", Timeout: time.Minute, Run: func(ctx context.Context, _ Host, _ json.RawMessage) (any, error) {
				r.runs.Add(1)
				select {
				case <-r.block:
					return nil, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}},
			{Name: "large", Timeout: time.Second, Run: func(_ context.Context, _ Host, args json.RawMessage) (any, error) {
				var n int
				err := json.Unmarshal(args, &n)
				r.runs.Add(1)
				return strings.Repeat("x", n), err
			}},
			{Name: "forbidden", Timeout: time.Second, Run: count},
		},
		Allowed: r.allowed, Keep: keep, Topics: contract.NewTopics("fieldgate", "g"), Store: r.store,
		Up: r.up, Now: func() (time.Time, bool) { return time.Now(), true }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// run works off what was accepted and ends the runner when nothing moves any more.
func (r *rig) run() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.runner.Run(ctx) }()
	synctest.Wait()
	cancel()
	if err := <-ended; err != nil {
		r.t.Error(err)
	}
}

func (r *rig) accept(op, payload string, change func(*Request)) {
	r.t.Helper()
	q := Request{Name: op, Payload: []byte(payload), ResponseTopic: "me", Correlation: []byte("c")}
	if change != nil {
		change(&q)
	}
	if err := r.runner.Accept(r.t.Context(), q); err != nil {
		r.t.Fatal(err)
	}
}

// answers returns the replies that were queued since the last call: "topic correlation id state
// code".
func (r *rig) answers() []string {
	r.t.Helper()
	var out []string
	records := r.store.Take(buffer.EventLane, 100, 1<<20)
	for _, record := range records {
		reply, err := event.DecodeReply(record.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		var p contract.Reply
		if err := json.Unmarshal(reply.Payload, &p); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("%s %s %s %s %s", reply.Topic, reply.Correlation, p.ID, p.State, p.Code), " "))
	}
	r.store.Ack(records)
	return out
}

func (r *rig) want(want ...string) {
	r.t.Helper()
	if got := r.answers(); strings.Join(got, "|") != strings.Join(want, "|") {
		r.t.Errorf("want %q, got %q", want, got)
	}
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.store.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
}

func TestWhatMayNotRunIsAnsweredRejected(t *testing.T) {
	for _, tt := range []struct {
		name, op, payload string
		change            func(*Request)
		want              string
	}{
		{"no JSON", "do", "restart!", nil, "me c  rejected malformed"},
		{"unknown member", "do", `{"id":"1","arg":{}}`, nil, "me c  rejected malformed"},
		{"two values", "do", `{"id":"1"}{"id":"2"}`, nil, "me c  rejected malformed"},
		{"long id", "do", `{"id":"` + strings.Repeat("x", 200) + `"}`, nil, "me c  rejected malformed"},
		{"retained", "do", `{"id":"1"}`, func(q *Request) { q.Retained = true }, "me c 1 rejected retained"},
		{"unknown operation", "dance", `{"id":"1"}`, nil, "me c 1 rejected unknown"},
		{"not allowed", "forbidden", `{"id":"1"}`, nil, "me c 1 rejected not-allowed"},
		{"without id", "do", "", nil, "me c  rejected id-missing"},
		{"reply to a command topic", "forbidden", `{"id":"1"}`, func(q *Request) { q.ResponseTopic = "fieldgate/other/cmd/restart" },
			"fieldgate/g/reply/forbidden c 1 rejected not-allowed"},
		{"reply to the broker", "forbidden", `{"id":"1"}`, func(q *Request) { q.ResponseTopic = "$SYS/x" },
			"fieldgate/g/reply/forbidden c 1 rejected not-allowed"},
		{"OK harmless without id or answer topic", "look", "", func(q *Request) { q.ResponseTopic, q.Correlation = "", nil },
			"fieldgate/g/reply/look   succeeded"},
		{"OK failure with its code", "fail", `{"id":"1"}`, nil, "me c 1 failed no-water"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.close()
				r.accept(tt.op, tt.payload, tt.change)
				r.run()
				r.want(tt.want)
			})
		})
	}
}

func TestRepeatsGetTheRecordedReplyAlsoAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("do", `{"id":"1","args":{"x": 1}}`, nil)
		r.run()
		r.want("me c 1 succeeded")
		r.accept("do", `{"id":"1","args":{"x":1}}`, func(q *Request) { q.ResponseTopic, q.Correlation = "you", []byte("d") })
		r.accept("do", `{"id":"1","args":{"x":2}}`, nil)
		r.run()
		r.want("you d 1 succeeded", "me c 1 rejected id-reused")
		r.close()
		r.open()
		defer r.close()
		r.accept("do", `{"id":"1","args":{"x":1}}`, nil)
		r.run()
		r.want("me c 1 succeeded")
		if runs, after := r.runs.Load(), r.after.Load(); runs != 1 || after != 1 {
			t.Errorf("it ran %d times, and %d times afterwards", runs, after)
		}
	})
}

func TestInterruptedCommandIsAnsweredAndNeverRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("slow", `{"id":"1"}`, nil)
		r.run() // it runs when the runner is ended
		r.accept("do", `{"id":"2"}`, nil)
		r.want() // accepted, not begun
		r.close()
		r.open()
		defer r.close()
		r.want("me c 1 interrupted interrupted", "me c 2 interrupted interrupted")
		r.accept("do", `{"id":"2"}`, nil)
		r.run()
		r.want("me c 2 interrupted interrupted")
		if n := r.runs.Load(); n != 1 {
			t.Errorf("%d runs, want the first one of slow alone", n)
		}
	})
}

func TestOneAtATimeFewWaitAndExpiredOnesAreRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.runner.Run(ctx) }()
		r.accept("slow", `{"id":"first"}`, nil)
		synctest.Wait()
		r.accept("slow", `{"id":"expires"}`, func(q *Request) { q.Expiry = expiry(10 * time.Second) })
		for i := 1; i < maxWaiting; i++ {
			r.accept("slow", fmt.Sprintf(`{"id":"%d"}`, i), nil)
		}
		r.accept("slow", `{"id":"too-many"}`, nil)
		r.want("me c too-many rejected busy")
		r.accept("slow", `{"id":"first"}`, nil)
		r.want() // it runs: its reply will come
		time.Sleep(20 * time.Second)
		if n := r.runs.Load(); n != 1 {
			t.Errorf("%d run at once", n)
		}
		close(r.block)
		synctest.Wait()
		got := r.answers()
		if len(got) != maxWaiting+1 || got[0] != "me c first succeeded" || got[1] != "me c expires rejected expired" {
			t.Errorf("got %q", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.accept("slow", `{"id":"1"}`, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.runner.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		r.want("me c 1 failed timeout")
		cancel()
		<-ended
	})
}
