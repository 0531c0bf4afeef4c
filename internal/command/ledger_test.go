package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// drain takes the replies out of the store, which are many.
func (r *rig) drain() (n int, last string) {
	for {
		got := r.answers()
		if len(got) == 0 {
			return n, last
		}
		n, last = n+len(got), got[len(got)-1]
	}
}

// flood runs commands of one name, each with its own id, and returns the last answer.
func (r *rig) flood(op string, count int) string {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.runner.Run(ctx) }()
	last := ""
	for i := range count {
		r.accept(op, fmt.Sprintf(`{"id":"flood-%d"}`, i), nil)
		if i%maxWaiting == 0 || i == count-1 {
			synctest.Wait()
			if _, l := r.drain(); l != "" {
				last = l
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		r.t.Error(err)
	}
	return last
}

func TestFloodOfOneOperationForgetsNothingOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.accept("do", `{"id":"once"}`, nil)
		r.run()
		r.want("me c once succeeded")
		if got := r.flood("look", 3000); got != "me c flood-2999 rejected ledger-full" {
			t.Errorf("got %q", got)
		}
		ran := r.runs.Load()
		r.accept("look", `{"id":"flood-0"}`, nil)
		r.accept("look", "", nil)
		r.run()
		r.want("me c flood-0 succeeded", "me c  succeeded")
		if n := r.runs.Load() - ran; n != 1 {
			t.Errorf("%d runs of a repeat and of one without an id, want 1", n)
		}
		before := r.runs.Load()
		r.accept("do", `{"id":"once"}`, nil)
		r.run()
		r.want("me c once succeeded")
		r.close()
		r.open()
		defer r.close()
		r.accept("do", `{"id":"once"}`, nil)
		r.run()
		r.want("me c once succeeded")
		if n := r.runs.Load() - before; n != 0 {
			t.Errorf("it ran %d times more", n)
		}
		if used := r.size(); used > ledgerMax {
			t.Errorf("the ledger has %d bytes", used)
		}
	})
}

// size is what the ledger takes in the store.
func (r *rig) size() (n int) {
	r.t.Helper()
	err := r.store.Each(r.t.Context(), bucket, func(key string, value []byte) error { n += len(key) + len(value); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestNoEntryIsForgottenWhileTheBrokerMayDeliverAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigOf(t, 8<<20)
		defer r.close()
		if got := r.flood("do", 1000); got != "me c flood-999 rejected ledger-full" {
			t.Fatalf("got %q", got)
		}
		ran := r.runs.Load()
		r.accept("do", `{"id":"flood-0"}`, nil)
		r.accept("do", `{"id":"flood-999"}`, nil)
		r.accept("fail", `{"id":"1"}`, nil)
		r.run()
		r.want("me c flood-0 succeeded", "me c flood-999 rejected ledger-full", "me c 1 failed no-water")
		if used := r.size(); used > 8<<20/40 {
			t.Errorf("the ledger has %d bytes", used)
		}
		time.Sleep(keep)
		r.accept("do", `{"id":"new"}`, nil)
		r.accept("do", `{"id":"flood-999"}`, nil) // what was answered stays the answer
		r.run()
		r.want("me c flood-999 rejected ledger-full", "me c new succeeded")
		if n := r.runs.Load(); n != ran+1 {
			t.Errorf("%d runs, want %d", n, ran+1)
		}
	})
}

// Refused at one time and delivered again at another, when it could run: PUBACK was lost.
func TestWhatWasRefusedStaysRefused(t *testing.T) {
	for _, tt := range []struct {
		name, want   string
		refuse, lift func(*rig)
	}{
		{"busy", "me c again rejected busy", func(r *rig) {
			for i := range maxWaiting {
				r.accept("do", fmt.Sprintf(`{"id":"%d"}`, i), nil)
			}
			r.accept("do", `{"id":"again"}`, nil)
		}, func(r *rig) { r.run(); r.drain() }},
		{"not allowed", "me c again rejected not-allowed", func(r *rig) {
			r.runner.cfg.Allowed = nil
			r.accept("do", `{"id":"again"}`, nil)
		}, func(r *rig) { r.runner.cfg.Allowed = r.allowed }},
		{"expired", "me c again rejected expired", func(r *rig) {
			r.accept("do", `{"id":"again"}`, func(q *Request) { q.Expiry = expiry(0) })
		}, func(*rig) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.refuse(r)
				if _, last := r.drain(); last != tt.want {
					t.Errorf("got %q", last)
				}
				tt.lift(r)
				ran := r.runs.Load()
				r.accept("do", `{"id":"again"}`, nil)
				r.run()
				r.want(tt.want)
				r.close()
				r.open()
				r.drain() // what was interrupted
				defer r.close()
				r.accept("do", `{"id":"again"}`, nil)
				r.run()
				r.want(tt.want)
				if n := r.runs.Load(); n != ran {
					t.Errorf("it ran")
				}
			})
		})
	}
}

func TestWhatAPeerSendsIsBounded(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		name, op, payload string
		change            func(*Request)
		want              string
	}{
		{"Response Topic", "do", `{"id":"1"}`, func(q *Request) { q.ResponseTopic = long }, "fieldgate/g/reply/do c 1 rejected too-large"},
		{"Correlation Data", "do", `{"id":"1"}`, func(q *Request) { q.Correlation = []byte(long) }, "me  1 rejected too-large"},
		{"payload", "do", `{"id":"1","args":"` + strings.Repeat("x", maxPayload) + `"}`, nil, "me c  rejected too-large"},
		{"operation", long, `{"id":"1"}`, nil, "me c 1 rejected unknown"},
		{"operation and no Response Topic", long, `{"id":"1"}`, func(q *Request) { q.ResponseTopic = "" },
			"fieldgate/g/reply/" + long[:61] + "… c 1 rejected unknown"},
		{"control characters in the id", "do", "{\"id\":\"\\u001b[2J\"}", nil, "me c  rejected malformed"},
		{"name of a member", "do", `{"` + long + `":1}`, nil, "me c  rejected malformed"},
		{"OK at the limit", "do", `{"id":"1"}`, func(q *Request) { q.ResponseTopic = long[:1024] }, long[:1024] + " c 1 succeeded"},
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

func TestExpiryOfZeroIsExpiredAndNoneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.accept("do", `{"id":"1"}`, func(q *Request) { q.Expiry = expiry(0) })
		r.accept("look", "", func(q *Request) { q.Expiry = expiry(0) })
		r.accept("do", `{"id":"2"}`, func(q *Request) { q.Expiry = expiry(time.Second) })
		r.accept("do", `{"id":"3"}`, nil)
		r.run()
		r.want("me c 1 rejected expired", "me c  rejected expired", "me c 2 succeeded", "me c 3 succeeded")
	})
}

func TestResultsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.accept("large", `{"id":"1","args":100000}`, nil)
		r.accept("large", `{"id":"2","args":60000}`, nil)
		r.run()
		r.want("me c 1 succeeded result-too-large", "me c 2 succeeded")
		e := r.runner.ledger.find("large/2")
		if len(e.Reply) > maxRecorded || !strings.Contains(string(e.Reply), "this is a repeat") || e.Topic != "" || e.Correlation != nil {
			t.Errorf("got %+v", e)
		}
		r.accept("large", `{"id":"2","args":60000}`, nil)
		r.want("me c 2 succeeded result-not-kept")
		if n := r.runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

// The broker takes commands but none of the replies.
func TestRepliesThatNobodyTakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigOf(t, 8<<20)
		defer r.close()
		for i := range 3000 {
			r.accept("dance", fmt.Sprintf(`{"id":"%x"}`, hashOf(json.RawMessage(fmt.Sprint(i)))), nil)
		}
		if err := r.store.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.store.Stats(); st.EventBytes > st.MaxBytes/30 || st.Events == 3000 {
			t.Errorf("%d replies of %d bytes wait", st.Events, st.EventBytes)
		}
		r.drain()
		if err := r.store.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.accept("dance", `{"id":"x"}`, nil)
		r.want("me c x rejected unknown")
	})
}

// fill fills the store until there is no room for one byte more, its events' share included.
func (r *rig) fill() {
	r.t.Helper()
	size, err := 64<<10, error(nil)
	for i := 0; size > 0; i++ {
		err = r.store.Update(r.t.Context(), func(tx *buffer.Tx) error {
			return tx.Put("ballast", fmt.Sprint(i), make([]byte, size))
		})
		if err != nil {
			size /= 2
		}
	}
	if err == nil {
		r.t.Fatal("the store does not become full")
	}
}

func TestStartWithAFullStoreAnswersWhatWasInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigOf(t, 8<<20)
		for i := range 10 {
			r.accept("slow", fmt.Sprintf(`{"id":"%d"}`, i), func(q *Request) { q.ResponseTopic, q.Correlation = strings.Repeat("t", 1000), make([]byte, 1000) })
		}
		r.fill()
		r.close()
		r.open()
		n, last := r.drain()
		if n != 10 || !strings.HasSuffix(last, "9 interrupted interrupted") {
			t.Errorf("%d answers, the last %q", n, last)
		}
		r.accept("slow", `{"id":"0"}`, func(q *Request) { q.ResponseTopic = "again" })
		r.accept("look", "", nil)
		r.run()
		r.want("again c 0 interrupted interrupted", "me c  succeeded")
		if n := r.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
		if err := r.store.Close(context.Background()); err != nil && !errors.Is(err, buffer.ErrNotDurable) {
			t.Error(err)
		}
	})
}

func TestStartWithAThousandEntriesTakesMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		err := r.store.Update(t.Context(), func(tx *buffer.Tx) error {
			for i := range 1000 {
				e := entry{N: uint64(i), Op: "do", ID: fmt.Sprint(i), Topic: strings.Repeat("t", 500), Correlation: make([]byte, 200)}
				value, err := json.Marshal(e)
				if err != nil {
					return err
				}
				if err := tx.Put(bucket, e.key(), value); err != nil {
					return err
				}
			}
			return tx.Put(bucket, "do/broken", []byte("{"))
		})
		if err != nil {
			t.Fatal(err)
		}
		r.close()
		commits := func() uint64 { return r.store.Stats().Commits }
		r.open()
		defer r.close()
		if n := commits(); n > 100 {
			t.Errorf("%d commits for 1,000 interrupted commands", n)
		}
		if n, last := r.drain(); n != 1000 || !strings.HasSuffix(last, "999 interrupted interrupted") {
			t.Errorf("%d answers, the last %q", n, last)
		}
	})
}
