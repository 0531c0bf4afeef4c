package aws

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/platform"
)

// foreignFor is how long after it wrote what is reported another client counts as one that will do
// so again.
const foreignFor = 2 * retryMax

// A deviceShadow keeps a Device Shadow (developer guide, "Device Shadow MQTT topics" and "Device
// Shadow service documents") and the gateway's settings together.
//
// The wish is what get/accepted has as desired, with the patches of update/accepted and the leaves
// of update/delta merged into it; a gap in the versions asks for the whole again. What is reported
// is compared with what the platform is known to have, and only a difference is sent: a setting
// that is rejected stays in the delta for ever, and would be answered for ever.
type deviceShadow struct {
	prefix string // $aws/things/<thing>/shadow or …/shadow/name/<name>
	thing  string
	parts  platform.Parts
	tokens func() string
	wake   func()
	log    *slog.Logger

	mu        sync.Mutex
	connected bool
	known     bool  // wish and cloud are those of the platform
	adopting  bool  // the wish is not in force yet
	version   int64 // the newest that was heard of on this connection
	asked     int64 // the newest that had been when the document was asked for
	wished    int64 // that of the wish
	wish      tree  // state.desired
	cloud     tree  // state.reported as the platform has it
	settings  contract.Reported
	origins   map[string]string
	level     int    // how little is reported, see reportedTree
	sent      tree   // the patch that is under way
	taken     string // the client token of the last update that the service took
	refused   tree   // a patch that the service will never take; nil: none
	get       request
	update    request
	polled    time.Time     // when the document was last asked for
	foreign   time.Time     // when another client last wrote what is reported
	peace     time.Duration // after which that is put right the next time
}

// A document is a message of the service.
type document struct {
	State struct {
		Desired  json.RawMessage `json:"desired"`
		Reported json.RawMessage `json:"reported"`
	} `json:"state"`
	Version     int64  `json:"version"`
	ClientToken string `json:"clientToken"`
}

// A delta is a message on update/delta.
type delta struct {
	State   tree  `json:"state"`
	Version int64 `json:"version"`
}

func (s *deviceShadow) subscriptions() []link.Subscription {
	return subscriptions(s.prefix, "the Device Shadow does not work", "/get/accepted", "/get/rejected", "/update/accepted", "/update/rejected", "/update/delta")
}

// link begins a connection, or ends it.
func (s *deviceShadow) link(up bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected, s.known, s.version, s.wished, s.sent = up, false, 0, 0, nil
	s.get, s.update = request{}, request{}
	s.get.ask(now)
}

// report takes in the settings in force.
func (s *deviceShadow) report(r contract.Reported, origins map[string]string) {
	s.mu.Lock()
	s.settings, s.origins, s.level = r, origins, sayAll
	s.mu.Unlock()
}

// step sends what is to be sent and returns when to look again.
func (s *deviceShadow) step(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return pollEvery
	}
	if now.Sub(s.polled) >= pollEvery {
		s.get.ask(now)
	}
	if s.get.ready(now, s.prefix+"/get") {
		s.polled, s.asked = now, s.version
		s.get.begin(now, s.tokens())
		s.publish("/get", tree{"clientToken": s.get.token})
	}
	if !s.update.due {
		s.update.ask(now) // to compare; there may be nothing to send
	}
	if s.update.ready(now, s.prefix+"/update") {
		s.update.due = false
		switch patch := s.patchLocked(); {
		case !s.known || s.adopting || s.get.token != "" || s.get.due:
		case len(patch) == 0:
			s.update.answered() // what was rejected need not be said any more
		case !same(patch, s.refused):
			s.sent = patch
			s.update.begin(now, s.tokens())
			s.publish("/update", tree{"state": tree{"reported": patch}, "clientToken": s.update.token})
		}
	}
	return min(s.get.wait(now), s.update.wait(now), max(pollEvery-now.Sub(s.polled), 0))
}

func (s *deviceShadow) publish(topic string, payload tree) {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // it was JSON before
	}
	s.parts.Uplink().Publish(s.prefix+topic, text)
}

// patchLocked returns what to report: empty if that is in the cloud.
func (s *deviceShadow) patchLocked() tree {
	want, level := reportedTree(s.settings, s.origins, s.wish, s.level)
	s.level = level
	return difference(s.cloud, want)
}

// same reports whether two patches are equal.
func same(a, b tree) bool { return len(difference(a, b)) == 0 && len(difference(b, a)) == 0 }

// receive takes in a message whose topic begins with the prefix; rest is what follows it.
func (s *deviceShadow) receive(ctx context.Context, rest string, payload []byte, now time.Time) error {
	defer s.wake()
	var d document
	if rest != "/update/delta" {
		if err := json.Unmarshal(payload, &d); err != nil {
			s.log.Warn("a message of the Device Shadow cannot be read", "topic", s.prefix+rest, "err", err)
			return nil
		}
	}
	switch rest {
	case "/get/accepted":
		return s.got(ctx, &d, now)
	case "/update/accepted":
		return s.updated(ctx, &d, now)
	case "/update/delta":
		var d delta
		if err := json.Unmarshal(payload, &d); err != nil {
			s.log.Warn("a delta of the Device Shadow cannot be read", "err", err)
			return nil
		}
		return s.changed(ctx, d.State, d.Version, now)
	case "/get/rejected", "/update/rejected":
		return s.rejected(ctx, rest, payload, now)
	}
	return nil
}

// got takes in the whole document. If something newer was heard of while it was under way it is
// asked for again. Otherwise its version holds, even if it is lower: a shadow that is made anew
// counts from 1.
func (s *deviceShadow) got(ctx context.Context, d *document, now time.Time) error {
	s.mu.Lock()
	ours := s.get.ours(d.ClientToken)
	if !ours && (!s.known || d.Version < s.wished) {
		s.mu.Unlock()
		return nil
	}
	if ours {
		s.get.answered()
	}
	if d.Version < s.version && s.version > s.asked {
		s.get.ask(now)
	} else {
		s.version = d.Version
	}
	s.known, s.wished = true, d.Version
	s.wish, s.cloud = treeIn(d.State.Desired), treeIn(d.State.Reported)
	s.refused, s.adopting = nil, true
	s.mu.Unlock()
	return s.adopt(ctx, now)
}

// treeIn returns a section of a document; nil if there is none.
func treeIn(text json.RawMessage) (t tree) {
	if len(text) > 0 {
		_ = json.Unmarshal(text, &t) // the service has objects there
	}
	return t
}

// updated takes in an update that the service took, ours or another's.
func (s *deviceShadow) updated(ctx context.Context, d *document, now time.Time) error {
	s.mu.Lock()
	switch {
	case s.update.ours(d.ClientToken):
		s.cloud, s.sent, s.taken = merge(s.cloud, s.sent), nil, d.ClientToken
		s.update.answered()
	case d.ClientToken != "" && d.ClientToken == s.taken: // once more
	case d.State.Reported != nil && s.known: // somebody else wrote what is ours
		s.overwritten(now)
	}
	s.mu.Unlock()
	if string(d.State.Desired) == "null" { // the section is gone
		s.mu.Lock()
		s.get.ask(now)
		s.mu.Unlock()
		return nil
	}
	return s.changed(ctx, treeIn(d.State.Desired), d.Version, now)
}

// overwritten asks for the document because another client wrote what is reported. The first time
// that is put right at once, then after growing delays: the other may do the same with ours.
func (s *deviceShadow) overwritten(now time.Time) {
	if now.Sub(s.foreign) > foreignFor {
		s.peace = 0
	}
	s.foreign = now
	if s.get.due {
		return
	}
	s.get.ask(now)
	if s.get.token == "" {
		s.get.at = now.Add(s.peace)
	}
	s.peace = min(max(2*s.peace, retryMin), retryMax)
}

// changed takes in a patch of desired; nil: another part of the document changed. A version may
// come twice, as an update and as a delta: it is taken in twice, which changes nothing.
func (s *deviceShadow) changed(ctx context.Context, patch tree, version int64, now time.Time) error {
	s.mu.Lock()
	gap := s.known && version > s.version+1
	old := version < s.wished
	s.version = max(s.version, version)
	if gap {
		s.get.ask(now)
	}
	if !s.known || old || patch == nil {
		s.mu.Unlock()
		return nil
	}
	s.wished = version
	before := s.wish
	s.wish = merge(s.wish, patch)
	unchanged := len(difference(before, s.wish)) == 0
	s.adopting = !unchanged
	s.mu.Unlock()
	if unchanged {
		return nil
	}
	return s.adopt(ctx, now)
}

// adopt makes the wish that of the gateway; adopting is set until then. If the store fails the
// whole is asked for again.
func (s *deviceShadow) adopt(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	d := contract.Desired{Version: uint64(max(s.wished, 0))}
	if len(s.wish) > 0 {
		text, err := json.Marshal(s.wish)
		if err != nil {
			panic(err) // it was JSON before
		}
		d.State = text
	}
	s.mu.Unlock()
	err := s.parts.Adopt(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopting = false
	if err != nil {
		s.known = false
		s.get.ask(now)
	}
	return err
}
