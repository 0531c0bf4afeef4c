package verify

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// A Report is what Results and Gaps return, put together for people and for programs.
type Report struct {
	Verdict   string    `json:"verdict"`          // complete, incomplete, nothing
	Unread    uint64    `json:"unread,omitempty"` // messages that could not be read
	Errors    []string  `json:"errors,omitempty"` // what was wrong with the first of them
	Sequences []Result  `json:"sequences"`
	Gaps      []Gap     `json:"gaps"`
	Silent    []Silence `json:"silent,omitempty"`
	Outages   []Outage  `json:"unheard,omitempty"`
}

// The verdicts. Nothing is missing: every reading arrived, or is in the ledger, or an unclean end
// explains it.
const (
	Complete   = "complete"
	Incomplete = "incomplete"
	Nothing    = "nothing" // no reading arrived and none is known of
)

// Report returns the report of what was taken in so far.
func (t *Tracker) Report() Report {
	r := Report{Verdict: Complete, Unread: t.unreadN, Errors: t.unread, Sequences: t.Results(), Gaps: t.Gaps(), Silent: t.Silent(), Outages: slices.Clone(t.outages)}
	if len(r.Sequences) == 0 {
		r.Verdict = Nothing
	}
	if r.Unread > 0 || len(r.Gaps) > 0 || len(r.Silent) > 0 || len(r.Outages) > 0 || slices.ContainsFunc(r.Sequences, func(s Result) bool { return len(s.Missing) > 0 || s.Reused > 0 }) {
		r.Verdict = Incomplete
	}
	return r
}

// A total is what a report says of one sensor, over all runs.
type total struct {
	gateway, sensor                                                 string
	runs                                                            int
	received, duplicates, thinned, lost, crashed, missing, disarray uint64
}

// A column of the table is left out if it has nothing but zeros.
type column struct {
	name   string
	of     func(*total) uint64
	always bool
}

var columns = []column{
	{"TWICE", func(s *total) uint64 { return s.duplicates }, false},
	{"DISORDER", func(s *total) uint64 { return s.disarray }, false},
	{"THINNED", func(s *total) uint64 { return s.thinned }, false},
	{"LEDGER", func(s *total) uint64 { return s.lost }, false},
	{"CRASHED", func(s *total) uint64 { return s.crashed }, false},
	{"MISSING", func(s *total) uint64 { return s.missing }, true},
}

// Print writes the table of a report, one line for each sensor, then everything that is missing,
// and the verdict.
func (r Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	totals := r.totals()
	head := "GATEWAY\tSENSOR\tRUNS\tARRIVED"
	var shown []column
	for _, c := range columns {
		if c.always || slices.ContainsFunc(totals, func(s *total) bool { return c.of(s) > 0 }) {
			shown = append(shown, c)
			head += "\t" + c.name
		}
	}
	fmt.Fprintln(w, head)
	var all total
	for _, s := range totals {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d", s.gateway, s.sensor, s.runs, s.received)
		for _, c := range shown {
			fmt.Fprintf(w, "\t%d", c.of(s))
		}
		fmt.Fprintln(w)
		all.received += s.received
		all.lost += s.lost
		all.crashed += s.crashed
		all.missing += s.missing
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	r.complaints(&b)
	fmt.Fprintf(&b, "\n%s: %d readings of %d sequences arrived; %d are in the loss ledger, %d were lost with a crash, %d are missing\n",
		strings.ToUpper(r.Verdict), all.received, len(r.Sequences), all.lost, all.crashed, all.missing)
	_, err := io.WriteString(out, b.String())
	return err
}

// complaints writes a line for everything that spoils the verdict.
func (r Report) complaints(b *strings.Builder) {
	for _, e := range r.Errors {
		fmt.Fprintf(b, "not read: %s\n", e)
	}
	if more := r.Unread - uint64(len(r.Errors)); more > 0 {
		fmt.Fprintf(b, "not read: %d more messages\n", more)
	}
	for _, s := range r.Sequences {
		for _, m := range s.Missing {
			fmt.Fprintf(b, "missing: %s %s, run %s, seq %v\n", s.Gateway, s.Sensor, s.Run, m)
		}
		if s.Reused > 0 {
			fmt.Fprintf(b, "unproven: %s %s, run %s: %d readings have the number of another reading; was the machine resumed from a snapshot of its memory?\n",
				s.Gateway, s.Sensor, s.Run, s.Reused)
		}
	}
	for _, g := range r.Gaps {
		where := fmt.Sprintf("%s, run %s", g.Gateway, g.Run)
		for _, e := range g.Events {
			fmt.Fprintf(b, "missing: events %v of %s: they may have been about losses\n", e, where)
		}
		if g.Unreported {
			fmt.Fprintf(b, "unproven: no later run reports how %s ended: its store was lost, or an older copy was restored\n", where)
		}
		if g.Copies != nil {
			fmt.Fprintf(b, "unproven: runs %s all follow %s: an older copy of the store was restored\n", strings.Join(g.Copies, " and "), where)
		}
		if g.Unknown > 0 {
			fmt.Fprintf(b, "unproven: %s found a damaged store; what could not be read from it is not known (%d entries)\n", where, g.Unknown)
		}
	}
	for _, s := range r.Silent {
		since := "its connection was lost"
		if !s.Since.IsZero() {
			since = "its connection of " + s.Since.UTC().Format(contract.TimeFormat) + " was lost"
		}
		fmt.Fprintf(b, "unproven: %s is silent, %s: what it has taken since then is not known\n", s.Gateway, since)
	}
	for _, u := range r.Outages {
		fmt.Fprintf(b, "unproven: nothing received from %s to %s: there was no connection to the broker, and what was sent meanwhile did not arrive afterwards\n",
			u.From.UTC().Format(contract.TimeFormat), u.To.UTC().Format(contract.TimeFormat))
	}
}

func (r Report) totals() []*total {
	var list []*total
	of := map[[2]string]*total{}
	for _, s := range r.Sequences {
		k := [2]string{s.Gateway, s.Sensor}
		t := of[k]
		if t == nil {
			t = &total{gateway: s.Gateway, sensor: s.Sensor}
			of[k] = t
			list = append(list, t)
		}
		t.runs++
		t.received += s.Received
		t.duplicates += s.Duplicates
		t.thinned += s.Thinned
		t.lost += s.Lost
		t.disarray += s.Disorder
		t.crashed += size(s.Crashed)
		t.missing += size(s.Missing)
	}
	slices.SortFunc(list, func(a, b *total) int {
		return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.sensor, b.sensor))
	})
	return list
}

// String returns "5" or "5 to 9".
func (r Range) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d to %d", r.First, r.Last)
}
