package aws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const prefix = "$aws/things/" + thing + "/shadow"

// TestWishWhileAway: what was wished while the gateway was away is in force and reported after it
// has connected, in the words of the wish, and nothing more is sent.
func TestWishWhileAway(t *testing.T) {
	for _, name := range []string{"", "settings"} {
		text := ""
		if name != "" {
			text = "shadow = \"" + name + "\"\n"
		}
		inBubble(t, text, func(r *rig) {
			r.service.Desire(thing, name, patch(t, `{"sensors":{"hall":{"every":"5000ms"},"nope":{"every":"1s"}},"gateway":{"log_level":"loud"}}`))
			r.connect()
			_, reported, _ := r.service.Shadow(thing, name)
			if r.every("hall") != 5*time.Second || in(reported, "sensors", "hall", "every") != "5000ms" || in(reported, "sensors", "pump", "every") != "1s" {
				t.Errorf("hall is read every %v, and reported is %v", r.every("hall"), reported)
			}
			if in(reported, "rejected", "sensors.nope") == nil || in(reported, "rejected", "gateway.log_level") == nil {
				t.Errorf("rejected: %v", reported["rejected"])
			}
			updates := r.service.Requests("update")
			time.Sleep(time.Minute)
			if n := r.service.Requests("update"); n != updates {
				t.Errorf("%d updates within a minute, although nothing changed", n-updates)
			}
			if n := r.service.Requests("update") - 1; n != 1 { // one is the test's
				t.Errorf("%d updates were sent, want 1", n)
			}
			r.leave()
			r.connect()
			if n := r.service.Requests("update"); n != updates {
				t.Errorf("the next connection reports again what is known")
			}
			if trouble := r.dialect.Trouble(); len(trouble) > 0 {
				t.Errorf("trouble: %q", trouble)
			}
		})
	}
}

// TestNothingIsReportedMeanwhile: while a wish is taken in, the settings of before are not reported
// beside it.
func TestNothingIsReportedMeanwhile(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.settle()
		r.before = func() {
			r.dialect.Report(r.shadow.Reported()) // somebody wakes it
			time.Sleep(10 * time.Millisecond)
		}
		r.connect()
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"6s"}}}`))
		r.settle()
		if _, reported, _ := r.service.Shadow(thing, ""); in(reported, "sensors", "hall", "every") != "6s" || r.service.Requests("update") != 4 {
			t.Errorf("%d updates, want 2 and the test's 2; reported %v", r.service.Requests("update"), reported)
		}
	})
}

// TestChangesOfTheWish: each way in which a wish changes reaches the settings and is reported.
func TestChangesOfTheWish(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		if _, reported, version := r.service.Shadow(thing, ""); version != 1 || in(reported, "sensors", "hall", "every") != "10s" {
			t.Fatalf("there was no document, and version %d reports %v", version, reported)
		}
		for _, tt := range []struct {
			name, patch string
			every       time.Duration
			says        any
		}{
			{"set", `{"sensors":{"hall":{"every":"5s"}}}`, 5 * time.Second, "5s"},
			{"changed", `{"sensors":{"hall":{"every":"7s"}}}`, 7 * time.Second, "7s"},
			{"something else, and the same", `{"sensors":{"hall":{"every":"7s"},"pump":{"deadband":{"flow":0.25}}}}`, 7 * time.Second, "7s"},
			{"rejected", `{"sensors":{"hall":{"every":"1ms"}}}`, 10 * time.Second, "10s"},
			{"good again", `{"sensors":{"hall":{"every":"8s"}}}`, 8 * time.Second, "8s"},
			{"removed", `{"sensors":{"hall":{"every":null}}}`, 10 * time.Second, "10s"},
			{"as in the file", `{"sensors":{"hall":{"every":"10s"}}}`, 10 * time.Second, "10s"},
			{"all removed", ``, 10 * time.Second, "10s"},
		} {
			if tt.patch == "" {
				r.service.Desire(thing, "", nil)
			} else {
				r.service.Desire(thing, "", patch(t, tt.patch))
			}
			r.settle()
			_, reported, _ := r.service.Shadow(thing, "")
			if r.every("hall") != tt.every || in(reported, "sensors", "hall", "every") != tt.says {
				t.Errorf("%s: every %v, reported %v", tt.name, r.every("hall"), in(reported, "sensors", "hall"))
			}
			if in(reported, "rejected") != nil != (tt.name == "rejected") {
				t.Errorf("%s: rejected is %v", tt.name, in(reported, "rejected"))
			}
		}
	})
}

// TestDisorder: deltas that are repeated, late or lost do not change what the document says.
func TestDisorder(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		for _, every := range []string{"3s", "5s"} { // versions 2 and 4; what is reported makes 3 and 5
			r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"`+every+`"}}}`))
			r.settle()
		}
		_, _, version := r.service.Shadow(thing, "")
		old := map[string]any{"version": 2, "state": patch(t, `{"sensors":{"hall":{"every":"3s"}}}`)}
		gets, updates := r.service.Requests("get"), r.service.Requests("update")
		r.service.Send(prefix+"/update/delta", old) // late
		r.settle()
		// An update would say that it was in force for a moment.
		if n := r.service.Requests("update") - updates; r.every("hall") != 5*time.Second || r.service.Requests("get") != gets || n != 0 {
			t.Errorf("a late delta: every %v, %d requests, %d updates", r.every("hall"), r.service.Requests("get")-gets, n)
		}
		// A gap: the delta of a version of which no message came. The whole is asked for, and
		// holds.
		r.service.Send(prefix+"/update/delta", map[string]any{"version": version + 5, "state": patch(t, `{"sensors":{"hall":{"every":"3s"}}}`)})
		r.settle()
		if r.every("hall") != 5*time.Second || r.service.Requests("get") == gets {
			t.Errorf("a delta beyond a gap: every %v", r.every("hall"))
		}
		for _, rubbish := range []string{`{`, `[]`, `{"state":[]}`, `{"version":"x"}`, ``, `null`} {
			for _, topic := range []string{"/get/accepted", "/get/rejected", "/update/accepted", "/update/rejected", "/update/delta", "/update/documents"} {
				r.service.Send(prefix+topic, []byte(rubbish))
			}
		}
		r.settle()
		if r.every("hall") != 5*time.Second {
			t.Errorf("after rubbish: every %v", r.every("hall"))
		}
		// Somebody else writes what is reported: it is put right.
		r.service.Reported(thing, "", patch(t, `{"sensors":{"hall":{"every":"99s"}}}`))
		r.settle()
		if _, reported, _ := r.service.Shadow(thing, ""); in(reported, "sensors", "hall", "every") != "5s" {
			t.Errorf("another's report stands: %v", reported)
		}
		// The document is deleted, which is not announced, and made again.
		r.service.Delete(thing, "")
		r.service.Desire(thing, "", patch(t, `{"sensors":{"pump":{"every":"2s"}}}`))
		r.settle()
		r.leave()
		r.connect()
		if _, reported, _ := r.service.Shadow(thing, ""); r.every("hall") != 10*time.Second || r.every("pump") != 2*time.Second || in(reported, "sensors", "pump", "every") != "2s" {
			t.Errorf("a new document: hall every %v, pump every %v, reported %v", r.every("hall"), r.every("pump"), reported)
		}
	})
}

// TestRejections: each code of the documentation, on each request: one sentence with a remedy, no
// storm of requests, and all is well once the service takes them.
func TestRejections(t *testing.T) {
	for _, operation := range []string{"get", "update"} {
		for _, code := range []int{0, 400, 401, 403, 404, 409, 413, 415, 429, 500} {
			t.Run(fmt.Sprint(operation, " ", code), func(t *testing.T) {
				inBubble(t, "", func(r *rig) {
					codes := []int{code, code, code, code, code}
					if code == 400 || code == 415 || code == 413 && operation == "get" {
						codes = codes[:2] // they are tried again after an hour
					}
					if code == 413 && operation == "update" {
						codes = codes[:2] // then less is reported
					}
					r.service.Reject(operation, codes...)
					r.service.Desire(thing, "", nil) // takes the first rejection of update
					before := r.service.Requests("get") + r.service.Requests("update")
					r.connect()
					time.Sleep(40 * time.Second)
					trouble := r.dialect.Trouble()
					healed := code == 409 && operation == "update" || code == 413 && operation == "update" || code == 404 && operation == "get"
					if !healed && (len(trouble) != 1 || !strings.Contains(trouble[0], "AWS IoT") || code > 0 && !strings.Contains(trouble[0], fmt.Sprint(code))) {
						t.Errorf("after 40 s: %q", trouble)
					}
					time.Sleep(20 * time.Second)
					if n := r.service.Requests("get") + r.service.Requests("update") - before; n > 14 {
						t.Errorf("%d requests within a minute", n)
					}
					time.Sleep(90 * time.Minute) // a new attempt comes by then
					r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
					r.settle()
					time.Sleep(90 * time.Minute)
					_, reported, _ := r.service.Shadow(thing, "")
					if trouble := r.dialect.Trouble(); len(trouble) > 0 || r.every("hall") != 5*time.Second || in(reported, "sensors", "hall", "every") != "5s" {
						t.Errorf("in the end: %q, every %v, reported %v", trouble, r.every("hall"), reported)
					}
				})
			})
		}
	}
}

// TestDocumentIsFull: 8 KB hold desired and reported. What does not fit is left out, the least
// important first, and said.
func TestDocumentIsFull(t *testing.T) {
	inBubble(t, "# many\n", func(r *rig) {
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.connect()
		if _, reported, _ := r.service.Shadow(thing, ""); in(reported, "sensors", "hall", "every") != "5s" || in(reported, "sensors", "pump") != nil {
			t.Errorf("102 sensors: reported is %v", reported)
		}
		if trouble := r.dialect.Trouble(); len(trouble) > 0 {
			t.Errorf("what is wished is reported, and there is trouble: %q", trouble)
		}
	})
	inBubble(t, "", func(r *rig) {
		unknown := map[string]any{}
		for i := range 300 {
			unknown[fmt.Sprintf("unknown-key-%03d", i)] = "text"
		}
		unknown["sensors"] = patch(t, `{"hall":{"every":"5s"}}`)
		r.service.Desire(thing, "", unknown)
		r.connect()
		updates := r.service.Requests("update")
		time.Sleep(10 * time.Minute)
		_, reported, _ := r.service.Shadow(thing, "")
		if r.every("hall") != 5*time.Second || reported == nil || r.service.Requests("update") != updates {
			t.Errorf("8 KB of unknown keys: hall every %v, %d more updates, reported %v", r.every("hall"), r.service.Requests("update")-updates, reported)
		}
		if trouble := r.dialect.Trouble(); len(trouble) != 1 || !strings.Contains(trouble[0], "8 KB") {
			t.Errorf("trouble: %q", trouble)
		}
	})
}

// TestAnswerIsOvertaken: a document that is older than what was heard while it was under way is
// asked for again.
func TestAnswerIsOvertaken(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		_, reported, version := r.service.Shadow(thing, "") // so that nothing is to be reported
		r.leave()
		r.service.Reject("get", 0) // the test answers
		r.connect()
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5s"}}}`))
		r.settle()
		var q struct{ ClientToken string }
		for _, p := range r.broker.Published() {
			if p.Topic == prefix+"/get" {
				if err := json.Unmarshal(p.Payload, &q); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.service.Send(prefix+"/get/accepted", map[string]any{"version": version, "state": map[string]any{"reported": reported}, "clientToken": q.ClientToken})
		r.settle()
		if r.every("hall") != 5*time.Second {
			t.Errorf("hall is read every %v", r.every("hall"))
		}
	})
}
