package aws_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// TestTwoWriters: two clients that each want their own in reported do not chase each other, and the
// gateway says so.
func TestTwoWriters(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		other := r.other(func(c *mqtt.Client, m *mqtt.Message) {
			if strings.Contains(string(m.Payload), `"every":"10s"`) {
				time.AfterFunc(50*time.Millisecond, func() {
					_ = c.Send(&mqtt.Message{Topic: prefix + "/update", Payload: []byte(`{"state":{"reported":{"sensors":{"hall":{"every":"99s"}}}}}`), QoS: mqtt.AtLeastOnce}, func(mqtt.PublishResult, error) {})
				})
			}
		})
		r.connect()
		time.Sleep(10 * time.Minute)
		if n := r.service.Requests("update") + r.service.Requests("get"); n > 40 {
			t.Errorf("%d requests within 10 minutes", n)
		}
		if trouble := r.dialect.Trouble(); len(trouble) != 1 || !strings.Contains(trouble[0], "cloud.thing") {
			t.Errorf("trouble: %q", trouble)
		}
		other()
		time.Sleep(time.Hour)
		if _, reported, _ := r.service.Shadow(thing, ""); in(reported, "sensors", "hall", "every") != "10s" || len(r.dialect.Trouble()) > 0 {
			t.Errorf("the other left: reported %v, %q", reported, r.dialect.Trouble())
		}
	})
}

// other connects a client that hears what updates of the shadow are accepted; end ends it.
func (r *rig) other(heard func(*mqtt.Client, *mqtt.Message)) (end func()) {
	r.t.Helper()
	var c *mqtt.Client
	c, err := mqtt.New(mqtt.Config{
		URLs: []string{"mqtt://b"}, ClientID: "other", Dial: r.broker.Dial, Log: slog.New(slog.DiscardHandler),
		Subscriptions: []mqtt.Subscription{{Filter: prefix + "/update/accepted", QoS: mqtt.AtLeastOnce}},
		Handler:       func(_ context.Context, m *mqtt.Message) error { heard(c, m); return nil },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = c.Run(ctx); close(ended) }()
	r.settle()
	return func() { cancel(); <-ended }
}

// TestConflictsWithoutEnd: a service that answers 409 for ever is not asked for ever.
func TestConflictsWithoutEnd(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		for range 1000 {
			r.service.Reject("update", 409)
		}
		r.connect()
		time.Sleep(time.Minute)
		if n := r.service.Requests("update"); n > 8 {
			t.Errorf("%d updates within a minute", n)
		}
		if trouble := r.dialect.Trouble(); len(trouble) != 1 || !strings.Contains(trouble[0], "409") {
			t.Errorf("trouble: %q", trouble)
		}
	})
}

// TestNothingLeftToReport: what was rejected is no trouble any more once it need not be reported.
func TestNothingLeftToReport(t *testing.T) {
	for _, code := range []int{400, 500} {
		inBubble(t, "", func(r *rig) {
			r.connect()
			for range 20 {
				r.service.Reject("update", code)
			}
			section := func(text string) {
				r.service.Send(prefix+"/update/accepted", map[string]any{"state": map[string]any{"desired": patch(t, text)}, "version": 2})
				r.settle()
			}
			section(`{"sensors":{"hall":{"every":"5s"}}}`)
			if trouble := r.dialect.Trouble(); r.every("hall") != 5*time.Second || len(trouble) != 1 {
				t.Fatalf("%d: every %v, %q", code, r.every("hall"), trouble)
			}
			section(`{"sensors":null}`)
			time.Sleep(10 * time.Minute)
			if trouble := r.dialect.Trouble(); len(trouble) > 0 {
				t.Errorf("%d: nothing is left to report: %q", code, trouble)
			}
		})
	}
}

// TestAnswerOfAnEarlierConnection: the document that an earlier connection asked for, or another
// client, is not taken for the one of now.
func TestAnswerOfAnEarlierConnection(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.connect()
		r.leave()
		r.service.Reject("get", 0)
		r.connect()
		r.service.Send(prefix+"/get/accepted", map[string]any{"state": map[string]any{"desired": patch(t, `{"sensors":{"hall":{"every":"3s"}}}`)}, "version": 1, "clientToken": "before"})
		r.settle()
		if r.every("hall") != 5*time.Second {
			t.Errorf("every %v", r.every("hall"))
		}
	})
}

// TestSlowService: answers that come after the time-out count.
func TestSlowService(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.service.AddJob(thing, "a", `{"operation":"flush"}`)
		r.settle()
		r.service.Delay = 31 * time.Second
		r.connect()
		time.Sleep(2 * time.Minute)
		if _, reported, _ := r.service.Shadow(thing, ""); r.every("hall") != 5*time.Second || in(reported, "sensors", "hall", "every") != "5s" {
			t.Errorf("every %v, reported %v", r.every("hall"), reported)
		}
		time.Sleep(time.Minute)
		if n := r.service.Requests("get") + r.service.Requests("update") + r.service.Requests("start-next"); n > 8 || len(r.dialect.Trouble()) > 0 || len(r.jobs()) == 0 {
			t.Errorf("%d requests, %d jobs, %q", n, len(r.jobs()), r.dialect.Trouble())
		}
	})
}

// TestOursOnceMore: an answer that comes twice is not another client's.
func TestOursOnceMore(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		var ours []*mqtt.Message
		end := r.other(func(_ *mqtt.Client, m *mqtt.Message) { ours = append(ours, m) })
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.settle()
		end()
		gets := r.service.Requests("get")
		r.service.Send(ours[len(ours)-1].Topic, ours[len(ours)-1].Payload)
		r.settle()
		if len(ours) != 2 || r.service.Requests("get") != gets {
			t.Errorf("%d updates, and %d requests after the second answer", len(ours), r.service.Requests("get")-gets)
		}
	})
}
