package verify

import (
	"cmp"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Result is what is known of one sequence.
type Result struct {
	Key
	// distinct readings that arrived, those within means included
	Received uint64 `json:"received"`
	// of them, those that arrived only within the mean of several
	Thinned    uint64 `json:"thinned"`
	Duplicates uint64 `json:"duplicates"` // readings that arrived again, as QoS 1 allows
	Last       uint64 `json:"last"`       // highest number that is known to exist
	// numbers that did not arrive and stand in the ledger
	Lost uint64 `json:"lost"`
	// numbers that did not arrive and that an unclean end explains: they were not durable yet
	Crashed []Range `json:"crashed,omitempty"`
	// numbers that did not arrive and that nothing explains
	Missing []Range `json:"missing,omitempty"`
	// readings that have the number of another one: a machine was resumed from a snapshot of its
	// memory
	Reused uint64 `json:"reused,omitempty"`
	// first arrivals that came after a higher number of the same lane
	Disorder uint64 `json:"disorder"`
	// clean, unclean, or "" while the run goes on or its end was not reported
	End string `json:"end,omitempty"`
}

// Gap is what a run lacks besides readings, so that nothing can be proven of it.
type Gap struct {
	Gateway string `json:"gateway"`
	Run     string `json:"run"`
	// events that did not arrive: they may have been about losses, or about how a run ended
	Events []Range `json:"events,omitempty"`
	// it is not the newest run of its gateway, and none names it as its previous one
	Unreported bool `json:"untold,omitempty"`
	// runs of one gateway that all name this one: an older copy of the store was put back
	Copies []string `json:"copies,omitempty"`
	// losses of a damaged store, which nobody could count
	Unknown uint64 `json:"unknown,omitempty"`
}

// Silence is a gateway that its status says is not there, although something of it was heard.
type Silence struct {
	Gateway string        `json:"gateway"`
	Since   contract.Time `json:"since"` // when the connection began that was lost
}

// Outage is a time in which what was sent may have passed the receiver by.
type Outage struct {
	From contract.Time `json:"from"`
	To   contract.Time `json:"to"`
}

// outagesMax is how many times are kept apart; the last one then grows.
const outagesMax = 100

// Outage notes that nobody knows what was sent in that time.
func (t *Tracker) Outage(from, to time.Time) {
	u := Outage{contract.Time{Time: from}, contract.Time{Time: to}}
	if n := len(t.outages); n >= outagesMax {
		t.outages[n-1].To = u.To
		return
	}
	t.outages = append(t.outages, u)
}

// Results returns what is known of every sequence, ordered by key.
func (t *Tracker) Results() []Result {
	out := make([]Result, 0, len(t.sequences))
	for k, s := range t.sequences {
		if r, ok := t.result(k, s); ok {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(t.runs[a.Run].first, t.runs[b.Run].first), cmp.Compare(a.Run, b.Run), cmp.Compare(a.Sensor, b.Sensor))
	})
	return out
}

// result returns what is known of one sequence; false if nothing is expected of it.
func (t *Tracker) result(k seqKey, s *sequence) (Result, bool) {
	b := t.runs[k.run]
	r := Result{
		Key: Key{b.gateway, k.run, k.sensor}, Received: s.received.count(), Thinned: s.thinned.count(), Duplicates: s.duplicates, Reused: s.reused, Disorder: s.disorder,
		Last: max(s.received.last(), s.lost.last()),
	}
	explained := slices.Clone(s.received)
	if t.Partial && !b.began {
		if s.base == 0 {
			return r, false
		}
		if s.base > 1 {
			explained.add(1, s.base-1)
		}
	}
	durable := uint64(0)
	if b.end != nil {
		r.End, durable = b.end.End, b.end.Last[k.sensor]
		r.Last = max(r.Last, durable)
	}
	for _, l := range s.lost {
		r.Lost += (l.Last - l.First + 1) - explained.add(l.First, l.Last)
	}
	for in, count := range s.partly { // as many of its holes as it counts, the first ones
		for _, h := range explained.holes(min(in.Last, r.Last)) {
			h.First = max(h.First, in.First)
			if h.First > h.Last || count == 0 {
				continue
			}
			h.Last = min(h.Last, h.First+count-1)
			count -= size([]Range{h})
			r.Lost += size([]Range{h})
			explained.add(h.First, h.Last)
		}
	}
	r.Missing = explained.holes(r.Last)
	if b.end != nil && b.end.End != contract.EndClean {
		var above []Range
		r.Missing, above = split(r.Missing, durable)
		for _, h := range above {
			if b.costs(s.starts[h.Last+1]) {
				r.Crashed = append(r.Crashed, h)
			} else {
				r.Missing = append(r.Missing, h)
			}
		}
	}
	return r, true
}

// Gaps returns the runs of which something other than readings is missing, in order.
func (t *Tracker) Gaps() []Gap {
	unreported := t.unreported()
	var out []Gap
	for id, b := range t.runs {
		g := Gap{Gateway: b.gateway, Run: id, Unknown: b.uncounted(), Unreported: unreported[id], Copies: b.copies()}
		seen := slices.Clone(b.events)
		if t.Partial && !b.began && len(seen) > 0 && seen[0].First > 1 {
			seen.add(1, seen[0].First-1)
		}
		g.Events = seen.holes(max(seen.last(), b.lastEvent(t.Partial)))
		if g.Events != nil || g.Unreported || g.Copies != nil || g.Unknown > 0 {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(t.runs[a.Run].first, t.runs[b.Run].first), cmp.Compare(a.Run, b.Run))
	})
	return out
}

// unreported returns the runs that no boot event names as its previous one, but for the newest of
// each gateway. A receiver that did not listen from the beginning can miss only the successor of a
// run that was under way meanwhile.
func (t *Tracker) unreported() map[string]bool {
	ends, newest := map[string]bool{}, map[string]int{}
	for id, b := range t.runs {
		if b.first > 0 && b.end == nil && (b.present || !t.Partial) {
			ends[id] = true
			newest[b.gateway] = max(newest[b.gateway], b.first)
		}
	}
	for id := range ends {
		if b := t.runs[id]; b.first == newest[b.gateway] && !t.succeeded(id) {
			delete(ends, id)
		}
	}
	return ends
}

// succeeded reports whether a run of the same gateway was under way after this one was, although
// neither follows from the other: what came in between is not known.
func (t *Tracker) succeeded(id string) bool {
	last := t.runs[id]
	before := map[string]bool{id: true}
	for run := last.before; run != "" && !before[run]; run = t.runs[run].before {
		before[run] = true
	}
	for other, b := range t.runs {
		if b.gateway == last.gateway && b.seen > max(last.seen, last.first) && !before[other] {
			return true
		}
	}
	return false
}

// Silent returns the gateways that were heard and whose connection is lost: what they have taken
// since is not known.
func (t *Tracker) Silent() []Silence {
	var out []Silence
	for gateway, s := range t.status {
		if s.State == contract.Lost && t.runs[s.Run] != nil && t.runs[s.Run].first > 0 {
			out = append(out, Silence{gateway, s.Since})
		}
	}
	slices.SortFunc(out, func(a, b Silence) int { return cmp.Compare(a.Gateway, b.Gateway) })
	return out
}
