package aws

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// A tree is a JSON object.
type tree = map[string]any

// merge lays a patch over a tree as a Device Shadow does: null deletes, objects are merged, all
// else is replaced. Neither is changed.
func merge(have, patch tree) tree {
	out := maps.Clone(have)
	if out == nil {
		out = tree{}
	}
	for key, v := range patch {
		inner, is := v.(tree)
		switch {
		case v == nil:
			delete(out, key)
		case is:
			below, _ := out[key].(tree)
			out[key] = merge(below, inner)
		default:
			out[key] = v
		}
	}
	return out
}

// difference returns the patch that makes want of have: empty if they are equal.
func difference(have, want tree) tree {
	patch := tree{}
	for key, v := range want {
		before, known := have[key]
		inner, is := v.(tree)
		below, was := before.(tree)
		switch {
		case is && was:
			if d := difference(below, inner); len(d) > 0 {
				patch[key] = d
			}
		case is && len(inner) == 0: // an empty object would be a change without a content
		case !known || !reflect.DeepEqual(before, v):
			patch[key] = v
		}
	}
	for key := range have {
		if _, stays := want[key]; !stays {
			patch[key] = nil
		}
	}
	return patch
}

// leaves returns a tree with only those leaves of t for which keep says so. keep gets the path as
// the shadow has it, and what beside has at the same place, nil if that is nothing; it may replace
// the value.
func leaves(path string, t, beside tree, keep func(path string, v, other any) (any, bool)) tree {
	out := tree{}
	for key, v := range t {
		at := key
		if path != "" {
			at = path + "." + key
		}
		if inner, is := v.(tree); is {
			below, _ := beside[key].(tree)
			if below := leaves(at, inner, below, keep); len(below) > 0 {
				out[key] = below
			}
		} else if v, ok := keep(at, v, beside[key]); ok {
			out[key] = v
		}
	}
	return out
}

// treeOf returns a value as a JSON object; nil if it is none.
func treeOf(v any) tree {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of texts and numbers
	}
	var t tree
	if json.Unmarshal(text, &t) != nil {
		return nil
	}
	return t
}

// size returns how many bytes a tree has as JSON.
func size(t tree) int {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it was JSON before
	}
	return len(text)
}

// documentMax is how large desired and reported may be together, without metadata: 8 KB in the
// documentation, less some for how it counts.
const documentMax = 8000

// How much of the settings in force a reported document says, so that it fits beside the wish.
const (
	sayAll      = iota
	sayWished   // only what comes from the shadow, and what was rejected
	sayCount    // and of what was rejected only how much
	sayRejected // nothing but that
)

// reportedTree returns the settings in force as state.reported has them, as much of them as level
// and the room beside the wish permit, and the level of that. What was wished and is in force is
// written as the wish has it: a Device Shadow compares texts, and "5s" is not "5000ms".
func reportedTree(r contract.Reported, origins map[string]string, wish tree, level int) (tree, int) {
	room := documentMax - size(wish)
	for ; ; level++ {
		t := leaves("", treeOf(r.State), wish, func(path string, v, wished any) (any, bool) {
			if _, from := origins[path]; from {
				return cmp.Or(wished, v), level < sayRejected
			}
			return v, level == sayAll
		})
		switch {
		case len(r.Rejected) == 0:
		case level < sayCount:
			t["rejected"] = treeOf(r.Rejected)
		default:
			t["rejected"] = tree{"settings": float64(len(r.Rejected))}
		}
		if size(t) <= room || level == sayRejected {
			return t, level
		}
	}
}
