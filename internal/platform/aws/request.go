package aws

import (
	"fmt"
	"time"
)

const (
	answerMax = 30 * time.Second // for the answer to a request
	retryMin  = 5 * time.Second  // between two attempts, doubled each time
	retryMax  = 5 * time.Minute
	pollEvery = time.Hour // a request without another reason: what was lost is noticed by then
)

// A request is one that the service answers on …/accepted or …/rejected. One at a time is under
// way.
type request struct {
	due   bool
	at    time.Time // of the next attempt; while one is under way, until when its answer is waited for
	token string    // the client token of the one under way; "" if none is
	late  string    // that of the last one, if it was not answered in time
	delay time.Duration
	why   string // what the service said against the last one; "" if it took it
}

// ask makes the request due at once, unless it waits after a refusal. What is asked for after the
// last one's time was over is not in its late answer.
func (r *request) ask(now time.Time) {
	r.late = ""
	if r.due {
		return
	}
	r.due = true
	if r.token == "" && r.delay == 0 {
		r.at = now
	}
}

// ready reports whether the request may be sent now. What was not answered in time is tried again.
func (r *request) ready(now time.Time, name string) bool {
	if r.token != "" && !now.Before(r.at) {
		late := r.token
		r.retry(now, fmt.Sprintf("AWS IoT does not answer %s", name))
		r.late = late
	}
	return r.due && r.token == "" && !now.Before(r.at)
}

// begin notes that the request is sent.
func (r *request) begin(now time.Time, token string) {
	r.due, r.token, r.late, r.at = false, token, "", now.Add(answerMax)
}

// ours reports whether an answer with this token is for the request under way, or for the last one
// if its time is over.
func (r *request) ours(token string) bool {
	return token != "" && (token == r.token || token == r.late)
}

// answered notes that the service took the request.
func (r *request) answered() {
	if r.late != "" { // the attempt that waits is not needed
		r.due = false
	}
	r.token, r.late, r.at, r.delay, r.why = "", "", time.Time{}, 0, ""
}

// retry notes that the request under way failed, and makes it due after a growing delay.
func (r *request) retry(now time.Time, why string) {
	r.delay = min(max(2*r.delay, retryMin), retryMax)
	r.due, r.token, r.late, r.at, r.why = true, "", "", now.Add(r.delay), why
}

// wait returns how long until something is to be done.
func (r *request) wait(now time.Time) time.Duration {
	if r.due || r.token != "" {
		return max(r.at.Sub(now), 0)
	}
	return pollEvery
}
