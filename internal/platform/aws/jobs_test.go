package aws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestJobs: jobs are commands, one after the other, and end as these do.
func TestJobs(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.service.AddJob(thing, "before", `{"operation":"restart","args":{"x":1}}`) // while it is away
		r.settle()
		r.connect()
		r.service.AddJob(thing, "second", `{"operation":"flush"}`)
		r.settle()
		q := r.jobs()
		if len(q) != 1 || q[0].Name != "restart" || !strings.Contains(string(q[0].Payload), `"args":{"x":1}`) || !strings.Contains(string(q[0].Payload), `"id":"before/1"`) || q[0].Answer != "$aws/things/gw1/jobs/before/update" || q[0].Malformed != "" {
			t.Fatalf("accepted %+v", q)
		}
		r.reply(q[0], contract.Succeeded)
		if j := r.service.Job(thing, "before"); j.Status != "SUCCEEDED" || j.Details["result"] != `{"a":1}` || j.Details["error"] != "why so" {
			t.Errorf("the first job: %+v", j)
		}
		for i, tt := range []struct{ id, doc, state, want string }{
			{"second", "", contract.Failed, "FAILED"},
			{"third", `{"operation":"nope"}`, contract.Rejected, "REJECTED"},
			{"fourth", `{"operation":"flush"}`, contract.Interrupted, "FAILED"},
			{"fifth", `{"steps":[]}`, contract.Rejected, "REJECTED"},
			{"sixth", `{"operation":["flush"]}`, contract.Rejected, "REJECTED"},
		} {
			if tt.doc != "" {
				r.service.AddJob(thing, tt.id, tt.doc)
				r.settle()
			}
			q := r.jobs()
			if len(q) != i+2 {
				t.Fatalf("%s: %d were accepted", tt.id, len(q))
			}
			last := q[len(q)-1]
			if bad := tt.id == "fifth" || tt.id == "sixth"; (last.Malformed != "") != bad {
				t.Errorf("%s: malformed %q", tt.id, last.Malformed)
			}
			r.reply(last, tt.state)
			if j := r.service.Job(thing, tt.id); j.Status != tt.want || j.Details["state"] != tt.state || j.Answers != 1 {
				t.Errorf("%s: %+v", tt.id, j)
			}
		}
		if trouble := r.dialect.Trouble(); len(trouble) > 0 {
			t.Errorf("trouble: %q", trouble)
		}
	})
}

// TestJobIsAnsweredAtLeastOnce: an answer that is lost or rejected is given again when the
// execution comes once more; one that ended otherwise needs none.
func TestJobIsAnsweredAtLeastOnce(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		r.service.AddJob(thing, "a", `{"operation":"flush"}`)
		r.settle()
		r.service.Reject("jobs/update", 429)
		r.reply(r.jobs()[0], contract.Succeeded)
		if trouble := r.dialect.Trouble(); len(trouble) != 1 || !strings.Contains(trouble[0], "job a") {
			t.Errorf("the answer was rejected: %q", trouble)
		}
		time.Sleep(10 * time.Second)
		q := r.jobs()
		if len(q) != 2 || string(q[1].Payload) != string(q[0].Payload) || q[1].Answer != q[0].Answer {
			t.Fatalf("it came again as %+v", q)
		}
		r.reply(q[1], contract.Succeeded)
		if j := r.service.Job(thing, "a"); j.Status != "SUCCEEDED" || len(r.dialect.Trouble()) > 0 {
			t.Errorf("%+v, %q", j, r.dialect.Trouble())
		}
		// Connections end before the answer: the execution comes again.
		r.service.AddJob(thing, "b", `{"operation":"flush"}`)
		r.settle()
		r.leave()
		r.connect()
		if q := r.jobs(); len(q) != 4 || string(q[2].Payload) != string(q[3].Payload) {
			t.Errorf("after a connection: %+v", q)
		}
		r.service.Cancel(thing, "b")
		r.reply(r.jobs()[3], contract.Succeeded)
		if j := r.service.Job(thing, "b"); j.Status != "CANCELED" || len(r.dialect.Trouble()) > 0 {
			t.Errorf("cancelled: %+v, %q", j, r.dialect.Trouble())
		}
		// start-next is rejected, and not answered.
		r.service.Reject("start-next", 429, 0)
		r.service.AddJob(thing, "c", `{"operation":"flush"}`)
		r.settle()
		if trouble := r.dialect.Trouble(); len(trouble) != 1 || !strings.Contains(trouble[0], "start-next") {
			t.Errorf("start-next was rejected: %q", trouble)
		}
		time.Sleep(2 * time.Minute)
		if q := r.jobs(); len(q) != 5 || len(r.dialect.Trouble()) > 0 {
			t.Errorf("%d executions came, %q", len(q), r.dialect.Trouble())
		}
	})
}

// TestCharactersOfDetails: whatever a command returns, the service takes the answer.
func TestCharactersOfDetails(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		for i, text := range []string{"a\u200bb\ufeff\u00ad", "\ue000", "\u2028", strings.Repeat("x", 3000), strings.Repeat("\U0001f600", 1024), "\U000e0001", "\ufdd0", "\t", "\xff\xfe"} {
			id := fmt.Sprint("job", i)
			r.service.AddJob(thing, id, `{"operation":"flush"}`)
			r.settle()
			q := r.jobs()
			result, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			r.replyWith(q[len(q)-1], contract.Reply{State: contract.Succeeded, Error: text, Result: result})
			if j := r.service.Job(thing, id); j.Status != "SUCCEEDED" {
				t.Errorf("%.40q: %+v, %q", text, j.Status, r.dialect.Trouble())
				r.service.Cancel(thing, id)
			}
		}
	})
}

// TestCancelledWhileItsAnswerWaits: a job that needs no answer any more is no trouble.
func TestCancelledWhileItsAnswerWaits(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		r.service.AddJob(thing, "a", `{"operation":"flush"}`)
		r.settle()
		r.service.Reject("jobs/update", 429)
		r.reply(r.jobs()[0], contract.Succeeded)
		r.service.Cancel(thing, "a")
		time.Sleep(time.Hour)
		if trouble := r.dialect.Trouble(); len(trouble) > 0 {
			t.Errorf("trouble: %q", trouble)
		}
		r.service.AddJob(thing, "b", `{"operation":"flush"}`)
		r.settle()
		r.service.Reject("jobs/update", 429)
		r.reply(r.jobs()[1], contract.Succeeded)
		r.service.Cancel(thing, "b")
		r.reply(r.jobs()[1], contract.Succeeded) // it was on its way
		if trouble := r.dialect.Trouble(); len(trouble) > 0 {
			t.Errorf("answered after its end: %q", trouble)
		}
	})
}
