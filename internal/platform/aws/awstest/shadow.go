package awstest

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// Limits of the Device Shadow ("AWS IoT Device Shadow endpoints and quotas").
const (
	documentMax = 8 << 10 // bytes of state, without metadata
	tokenMax    = 64
	depthMax    = 8
)

// A shadow is one document.
type shadow struct {
	desired, reported tree
	version           int64
	deleted           bool
}

// Shadow returns desired, reported and version of a thing's shadow; name "" is the classic one.
func (s *Service) Shadow(thing, name string) (desired, reported map[string]any, version int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.shadows[shadowPrefix(thing, name)]
	if d == nil || d.deleted {
		return nil, nil, 0
	}
	return d.desired, d.reported, d.version
}

// Desire updates the desired section as a console would; a nil patch clears it.
func (s *Service) Desire(thing, name string, patch map[string]any) {
	var section any
	if patch != nil {
		section = patch
	}
	text, _ := json.Marshal(tree{"state": tree{"desired": section}}) // what tests make
	s.handleShadow(shadowPrefix(thing, name)+"/update", text)
}

func shadowPrefix(thing, name string) string {
	if name == "" {
		return "$aws/things/" + thing + "/shadow"
	}
	return "$aws/things/" + thing + "/shadow/name/" + name
}

type shadowRequest struct {
	State       tree   `json:"state"`
	Version     *int64 `json:"version"`
	ClientToken string `json:"clientToken"`
}

func (s *Service) handleShadow(topic string, payload []byte) {
	i := strings.LastIndex(topic, "/")
	prefix, operation := topic[:i], topic[i+1:]
	if operation != "get" && operation != "update" && operation != "delete" {
		return
	}
	var q shadowRequest
	malformed := len(payload) > 0 && json.Unmarshal(payload, &q) != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	reject := func(code int, message string) {
		answer := tree{"code": code, "message": message, "timestamp": stamp()}
		if q.ClientToken != "" {
			answer["clientToken"] = q.ClientToken
		}
		s.Send(topic+"/rejected", answer)
	}
	if code, fault := s.faultLocked(operation); fault {
		if code != 0 {
			reject(code, "as the test wants it")
		}
		return
	}
	d := s.shadows[prefix]
	switch {
	case malformed:
		reject(400, "Invalid JSON")
	case len(q.ClientToken) > tokenMax:
		reject(400, "Invalid clientToken")
	case operation == "update":
		s.updateLocked(prefix, d, &q, reject)
	case d == nil || d.deleted:
		reject(404, "No shadow exists with name: '"+prefix+"'")
	case operation == "delete":
		d.deleted, d.desired, d.reported = true, nil, nil
		d.version++
		s.Send(topic+"/accepted", tree{"version": d.version - 1, "timestamp": stamp(), "clientToken": q.ClientToken})
	default:
		s.Send(topic+"/accepted", d.document(q.ClientToken))
	}
}

func (s *Service) updateLocked(prefix string, d *shadow, q *shadowRequest, reject func(int, string)) {
	if d == nil {
		d = &shadow{}
	}
	desired, okDesired := section(q.State, "desired", d.desired)
	reported, okReported := section(q.State, "reported", d.reported)
	text, _ := json.Marshal(tree{"desired": desired, "reported": reported}) // it was JSON before
	switch {
	case q.State == nil || !okDesired || !okReported:
		reject(400, "Missing required node: state")
		return
	case q.Version != nil && *q.Version != d.version:
		reject(409, "Version conflict")
		return
	case depth(q.State) > depthMax:
		reject(400, "JSON contains too many levels of nesting; maximum is 6")
		return
	case len(text) > documentMax:
		reject(413, "The payload exceeds the maximum size allowed")
		return
	}
	d.desired, d.reported, d.deleted = desired, reported, false
	d.version++
	s.shadows[prefix] = d
	answer := tree{"state": q.State, "metadata": tree{}, "version": d.version, "timestamp": stamp()}
	if q.ClientToken != "" {
		answer["clientToken"] = q.ClientToken
	}
	s.Send(prefix+"/update/accepted", answer)
	if delta := difference(d.desired, d.reported); len(delta) > 0 {
		m := tree{"state": delta, "metadata": tree{}, "version": d.version, "timestamp": stamp()}
		if q.ClientToken != "" {
			m["clientToken"] = q.ClientToken
		}
		s.Send(prefix+"/update/delta", m)
	}
}

// section returns what an update makes of a section; false: it is no object.
func section(state tree, name string, have tree) (tree, bool) {
	v, named := state[name]
	if !named {
		return have, true
	}
	if v == nil {
		return nil, true
	}
	patch, is := v.(tree)
	return merge(have, patch), is
}

func (d *shadow) document(token string) tree {
	state := tree{}
	if d.desired != nil {
		state["desired"] = d.desired
	}
	if d.reported != nil {
		state["reported"] = d.reported
	}
	if delta := difference(d.desired, d.reported); len(delta) > 0 {
		state["delta"] = delta
	}
	answer := tree{"state": state, "metadata": tree{}, "version": d.version, "timestamp": stamp()}
	if token != "" {
		answer["clientToken"] = token
	}
	return answer
}

func merge(have, patch tree) tree {
	out := maps.Clone(have)
	if out == nil {
		out = tree{}
	}
	for key, v := range patch {
		if inner, is := v.(tree); is {
			below, _ := out[key].(tree)
			out[key] = merge(below, inner)
		} else if v == nil {
			delete(out, key)
		} else {
			out[key] = v
		}
	}
	return out
}

// difference returns the leaves of desired that are missing in reported or differ there.
func difference(desired, reported tree) tree {
	delta := tree{}
	for key, v := range desired {
		have, known := reported[key]
		inner, is := v.(tree)
		below, was := have.(tree)
		if is && was {
			if d := difference(inner, below); len(d) > 0 {
				delta[key] = d
			}
		} else if !known || !reflect.DeepEqual(v, have) {
			delta[key] = v
		}
	}
	return delta
}

func depth(t tree) int {
	deepest := 0
	for _, v := range t {
		if inner, is := v.(tree); is {
			deepest = max(deepest, depth(inner))
		}
	}
	return deepest + 1
}

// Reported updates the reported section as another client would.
func (s *Service) Reported(thing, name string, patch map[string]any) {
	text, _ := json.Marshal(tree{"state": tree{"reported": patch}}) // what tests make
	s.handleShadow(shadowPrefix(thing, name)+"/update", text)
}

// Delete deletes a shadow.
func (s *Service) Delete(thing, name string) {
	s.handleShadow(shadowPrefix(thing, name)+"/delete", nil)
}
