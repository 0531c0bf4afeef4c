package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/platform"
)

// jobs carries out AWS IoT Jobs as commands (developer guide, "Jobs device MQTT API operations").
// The document of a job is {"operation":"restart","args":{}}. Its key in the ledger is the job's id
// with the number of the execution, so that it runs at most once; start-next gives an execution
// that was begun and not answered once more, and the ledger repeats the answer.
type jobs struct {
	prefix string // $aws/things/<thing>/jobs
	parts  platform.Parts
	tokens func() string
	wake   func()
	log    *slog.Logger

	mu        sync.Mutex
	connected bool
	next      request // start-next
	polled    time.Time
	refused   string // what the service said against the last answer; "" if it took it
	delay     time.Duration
}

// An execution is a job that one thing is to do.
type execution struct {
	JobID  string          `json:"jobId"`
	Number int64           `json:"executionNumber"`
	Job    json.RawMessage `json:"jobDocument"`
}

func (j *jobs) subscriptions() []link.Subscription {
	return subscriptions(j.prefix, "jobs do not run", "/notify-next", "/start-next/accepted", "/start-next/rejected", "/+/update/accepted", "/+/update/rejected")
}

// link begins a connection, or ends it.
func (j *jobs) link(up bool, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.connected, j.next, j.delay = up, request{}, 0
	j.next.ask(now)
}

func (j *jobs) step(now time.Time) time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.connected {
		return pollEvery
	}
	if now.Sub(j.polled) >= pollEvery {
		j.next.ask(now)
	}
	if j.next.ready(now, j.prefix+"/start-next") {
		j.polled = now
		j.next.begin(now, j.tokens())
		j.parts.Uplink().Publish(j.prefix+"/start-next", fmt.Appendf(nil, `{"clientToken":%q}`, j.next.token))
	}
	return min(j.next.wait(now), max(pollEvery-now.Sub(j.polled), 0))
}

// receive takes in a message whose topic begins with the prefix; rest is what follows it.
func (j *jobs) receive(ctx context.Context, rest string, payload []byte, now time.Time) error {
	defer j.wake()
	var m struct {
		Execution   *execution `json:"execution"`
		Code        string     `json:"code"`
		Message     string     `json:"message"`
		ClientToken string     `json:"clientToken"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		j.log.Warn("a message of AWS IoT Jobs cannot be read", "topic", j.prefix+rest, "err", err)
		return nil
	}
	j.mu.Lock()
	switch {
	case rest == "/notify-next":
		if m.Execution != nil && m.Execution.JobID != "" {
			j.next.ask(now)
		}
	case rest == "/start-next/accepted":
		none := m.Execution == nil || m.Execution.JobID == ""
		if j.next.ours(m.ClientToken) {
			j.next.answered()
			if none {
				j.refused, j.delay = "", 0 // nothing waits for an answer
			}
		}
		if !none {
			j.mu.Unlock()
			return j.accept(ctx, m.Execution)
		}
	case rest == "/start-next/rejected":
		if j.next.ours(m.ClientToken) {
			j.next.retry(now, fmt.Sprintf("AWS IoT Jobs rejects start-next (%s %s): check the policy of the certificate (%s/*)", clean(m.Code, 64), clean(m.Message, 128), j.prefix))
		}
	case strings.HasSuffix(rest, "/update/accepted"): // notify-next says what comes then
		j.refused, j.delay = "", 0
	case strings.HasSuffix(rest, "/update/rejected"):
		j.answerRejected(rest, m.Code, m.Message, now)
	}
	j.mu.Unlock()
	return nil
}

// answerRejected decides what becomes of an execution whose answer the service rejects. One that is
// at its end, cancelled or timed out needs no answer. All others come again with start-next, and
// the ledger repeats the answer.
func (j *jobs) answerRejected(rest, code, message string, now time.Time) {
	id := strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/update/rejected")
	switch code {
	case "InvalidStateTransition", "TerminalStateReached", "ResourceNotFound":
		j.log.Info("the job was at its end before its answer came", "job", clean(id, 64), "code", code)
		j.refused, j.delay = "", 0
		j.next.ask(now)
		return
	}
	j.refused = fmt.Sprintf("AWS IoT Jobs rejects the answer to job %s (%s %s); it is tried again", clean(id, 64), clean(code, 64), clean(message, 128))
	j.delay = min(max(2*j.delay, retryMin), retryMax)
	j.next.due, j.next.at = true, now.Add(j.delay)
}

// accept hands an execution to the ledger.
func (j *jobs) accept(ctx context.Context, e *execution) error {
	var job struct {
		Operation string          `json:"operation"`
		Args      json.RawMessage `json:"args,omitempty"`
	}
	q := command.Request{Answer: j.prefix + "/" + e.JobID + "/update", Correlation: strconv.AppendInt(nil, e.Number, 10)}
	payload := contract.Command{ID: e.JobID + "/" + string(q.Correlation)}
	if err := json.Unmarshal(e.Job, &job); err != nil || job.Operation == "" {
		q.Malformed = `the job document must be {"operation":"…","args":{…}}`
	}
	q.Name, payload.Args = job.Operation, job.Args
	text, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("job %s: %w", e.JobID, err)
	}
	q.Payload = text
	return j.parts.Accept(ctx, q)
}

// States of an execution, by the state of a reply.
var states = map[string]string{contract.Succeeded: "SUCCEEDED", contract.Failed: "FAILED", contract.Rejected: "REJECTED", contract.Interrupted: "FAILED"}

// detailMax is how long a value of statusDetails may be, in characters.
const detailMax = 1024

// answer gives a reply to a job the form of an update; false: it is another reply.
func (j *jobs) answer(r event.Reply) (event.Reply, bool) {
	if !strings.HasPrefix(r.Topic, j.prefix+"/") {
		return r, false
	}
	var reply contract.Reply
	if json.Unmarshal(r.Payload, &reply) != nil {
		return r, false
	}
	details := tree{"state": reply.State}
	for name, text := range map[string]string{"code": reply.Code, "error": reply.Error, "result": string(reply.Result)} {
		if text = clean(text, detailMax); text != "" {
			details[name] = text
		}
	}
	update := tree{"status": states[reply.State], "statusDetails": details, "clientToken": j.tokens()}
	if number, err := strconv.ParseInt(string(r.Correlation), 10, 64); err == nil {
		update["executionNumber"] = number
	}
	text, err := json.Marshal(update)
	if err != nil {
		panic(err) // texts and a number
	}
	return event.Reply{Topic: r.Topic, Payload: text}, true
}

func (j *jobs) trouble() (list []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, why := range []string{j.next.why, j.refused} {
		if why != "" {
			list = append(list, why)
		}
	}
	return list
}

// clean returns a text of at most max characters, as the service counts and allows them: UTF-16 has
// two for some, and none is of Unicode's class C (control, format, private, unassigned).
func clean(text string, max int) string {
	var b strings.Builder
	n, cut := 0, 0 // characters, and bytes up to which there is room for "…"
	for _, c := range strings.ToValidUTF8(text, "?") {
		if !unicode.IsGraphic(c) {
			c = ' '
		}
		if n += utf16.RuneLen(c); n > max {
			return b.String()[:cut] + "…"
		}
		b.WriteRune(c)
		if n < max {
			cut = b.Len()
		}
	}
	return b.String()
}
