package verify

import (
	"cmp"
	"slices"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Result is what is known of one sequence.
type Result struct {
	Key
	Received   uint64  `json:"received"`          // distinct readings that arrived, those within means included
	Thinned    uint64  `json:"thinned"`           // of them, those that arrived only within the mean of several
	Duplicates uint64  `json:"duplicates"`        // readings that arrived again, as QoS 1 allows
	Last       uint64  `json:"last"`              // highest number that is known to exist
	Lost       uint64  `json:"lost"`              // numbers that did not arrive and stand in the ledger
	Crashed    []Range `json:"crashed,omitempty"` // numbers that did not arrive and that an unclean end explains: they were not durable yet
	Missing    []Range `json:"missing,omitempty"` // numbers that did not arrive and that nothing explains
	Disorder   uint64  `json:"disorder"`          // first arrivals that came after a higher number of the same lane
	End        string  `json:"end,omitempty"`     // clean, unclean, or "" while the boot runs or its end was not told
}

// Gap is what a boot lacks besides readings, so that nothing can be proven of it.
type Gap struct {
	Gateway string  `json:"gateway"`
	Store   string  `json:"store"`
	Boot    uint32  `json:"boot"`
	Events  []Range `json:"events,omitempty"`  // events that did not arrive: they may have told of losses or of how a boot ended
	Before  bool    `json:"before,omitempty"`  // there was a boot before it, of which nothing is known
	Untold  bool    `json:"untold,omitempty"`  // a later boot is known, but none told how this one ended
	Unknown uint64  `json:"unknown,omitempty"` // losses of a damaged store, which nobody could count
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
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Sensor, b.Sensor))
	})
	return out
}

// result returns what is known of one sequence; false where nothing is expected of it.
func (t *Tracker) result(k Key, s *sequence) (Result, bool) {
	b := t.boots[boot{k.Gateway, k.Store, k.Boot}]
	r := Result{
		Key: k, Received: s.received.count(), Thinned: s.thinned.count(), Duplicates: s.duplicates, Disorder: s.disorder,
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
		r.End, durable = b.end.End, b.end.Last[k.Sensor]
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

// Gaps returns the boots of which something other than readings is missing, in order.
func (t *Tracker) Gaps() []Gap {
	newest := map[[2]string]uint32{}
	for k := range t.boots {
		store := [2]string{k.gateway, k.store}
		newest[store] = max(newest[store], k.n)
	}
	var out []Gap
	for k, b := range t.boots {
		g := Gap{Gateway: k.gateway, Store: k.store, Boot: k.n, Unknown: b.unknown}
		seen := slices.Clone(b.events)
		if t.Partial && !b.began && len(seen) > 0 && seen[0].First > 1 {
			seen.add(1, seen[0].First-1)
		}
		g.Events = seen.holes(seen.last())
		over := k.n < newest[[2]string{k.gateway, k.store}] && (b.began || !t.Partial) || b.replaced && (b.heard || !t.Partial)
		g.Untold = over && b.end == nil
		if !t.Partial && len(seen) == 0 { // not even its boot event
			g.Events = []Range{{1, 1}}
		}
		if !t.Partial && !b.opens && len(seen) > 0 && t.boots[boot{k.gateway, k.store, k.n - 1}] == nil {
			g.Before = true
		}
		if g.Events != nil || g.Untold || g.Before || g.Unknown > 0 {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Boot, b.Boot))
	})
	return out
}
