package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// rejected takes in what the service says against a request of ours.
func (s *deviceShadow) rejected(ctx context.Context, rest string, payload []byte, now time.Time) error {
	var e struct {
		Code        int    `json:"code"`
		Message     string `json:"message"`
		ClientToken string `json:"clientToken"`
	}
	if json.Unmarshal(payload, &e) != nil || e.ClientToken == "" {
		return nil
	}
	s.mu.Lock()
	switch {
	case rest == "/get/rejected" && s.get.ours(e.ClientToken) && e.Code == 404: // no document yet: ours makes it
		s.get.answered()
		s.known, s.wish, s.cloud, s.wished, s.adopting = true, nil, nil, 0, true
		s.mu.Unlock()
		return s.adopt(ctx, now)
	case rest == "/get/rejected" && s.get.ours(e.ClientToken):
		s.get.retry(now, s.why("the request for the Device Shadow", e.Code, e.Message))
		if permanent(e.Code) {
			s.get.at = now.Add(pollEvery)
		}
	case rest == "/update/rejected" && s.update.ours(e.ClientToken) && e.Code == 413 && s.level < sayRejected:
		s.update.answered()
		s.level++
	case rest == "/update/rejected" && s.update.ours(e.ClientToken) && e.Code == 409: // only the whole document says with what it is in conflict
		s.update.retry(now, s.why("what the gateway reports to the Device Shadow", e.Code, e.Message))
		s.get.ask(now)
	case rest == "/update/rejected" && s.update.ours(e.ClientToken):
		s.update.retry(now, s.why("what the gateway reports to the Device Shadow", e.Code, e.Message))
		if permanent(e.Code) {
			s.refused, s.update.due = s.sent, false
		}
	}
	s.mu.Unlock()
	return nil
}

// permanent reports whether the same request would be rejected again.
func permanent(code int) bool { return code == 400 || code == 413 || code == 415 }

// why says what the service said, and what helps.
func (s *deviceShadow) why(what string, code int, message string) string {
	remedy := "it is tried again"
	switch code {
	case 401, 403:
		remedy = "check the policy of the certificate (iot:Publish, iot:Subscribe and iot:Receive for " + s.prefix + "/*)"
	case 404:
		remedy = "there must be a thing " + s.thing + " (cloud.thing)"
	case 413:
		remedy = "desired and reported have 8 KB together: wish for fewer settings"
	case 400, 415:
		remedy = "the service expects something else"
	}
	return fmt.Sprintf("AWS IoT rejects %s (%d %s): %s", what, code, clean(message, 128), remedy)
}

// trouble says what does not work.
func (s *deviceShadow) trouble(now time.Time) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range []*request{&s.get, &s.update} {
		if r.why != "" {
			list = append(list, r.why)
		}
	}
	if s.peace > retryMin && now.Sub(s.foreign) <= foreignFor {
		list = append(list, fmt.Sprintf("another client writes what the gateway reports to the Device Shadow: let each gateway have a thing of its own (cloud.thing is %q), and write only desired", s.thing))
	}
	if s.level >= sayCount {
		list = append(list, fmt.Sprintf("the Device Shadow has no room for what is rejected: desired has %d bytes, and desired and reported have 8 KB together", size(s.wish)))
	}
	return list
}
