package verify

import (
	"slices"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// A runState is what is known of a run.
type runState struct {
	gateway string
	// its place in the order in which something of the runs themselves arrived, from 1; 0: none
	first int
	// the same for what only a run sends that is under way: live readings, and that it is online
	seen    int
	present bool   // it was under way while somebody listened: it was seen, or it began
	before  string // the run that it names as its previous one
	// its first reading is expected: it was listened to from the beginning
	began   bool
	heard   bool               // a reading of it arrived
	end     *contract.Previous // as later runs report
	next    map[string]string  // the runs that name it as their previous one, with their gateways
	events  ranges
	unknown map[unknown]bool
	maxLoss float64    // seconds, as its boot event reports
	newest  [3]float64 // when its newest reading was measured, by base
}

// An unknown is a loss that cannot be assigned to readings, in the event of that number.
type unknown struct {
	event uint64
	loss  contract.Loss
}

// uncounted returns how many readings the unknown losses are, as far as they say it, and at least
// one for each.
func (b *runState) uncounted() (n uint64) {
	for u := range b.unknown {
		n += max(u.loss.Count, 1)
	}
	return n
}

// copies returns the runs of one gateway that all name this run as their previous one, if there are
// several: from a copy of its store more than one of them went on.
func (b *runState) copies() []string {
	of := map[string][]string{}
	for run, gateway := range b.next {
		of[gateway] = append(of[gateway], run)
	}
	for _, runs := range of {
		if len(runs) > 1 {
			slices.Sort(runs)
			return runs
		}
	}
	return nil
}

// lastEvent returns the number of the last event that is known to exist beside those that arrived.
// Each run has at least its boot event, unless it ended before that was durable. Partial: somebody
// began to listen, who may have missed all of them.
func (b *runState) lastEvent(partial bool) uint64 {
	switch {
	case partial && !b.began && len(b.events) == 0:
		return 0
	case b.end != nil:
		return b.end.Events
	}
	return 1
}

// ended notes how a run ended. If that is reported differently, the stronger counts: a clean end,
// and the higher number.
func (b *runState) ended(p *contract.Previous) {
	if b.end == nil {
		b.end = &contract.Previous{Run: p.Run, Store: p.Store, Boot: p.Boot, Gateway: p.Gateway, End: p.End, Last: map[string]uint64{}}
	}
	if p.End == contract.EndClean {
		b.end.End = contract.EndClean
	}
	b.end.Events = max(b.end.Events, p.Events)
	for sensor, last := range p.Last {
		b.end.Last[sensor] = max(b.end.Last[sensor], last)
	}
}

// crashSlack is how much longer than max_loss before the end of a run a hole may be that a crash
// explains, in seconds: what is on its way, and clocks.
const crashSlack = 5

// costs reports whether a crash explains a hole before a reading that was measured at that moment.
// A reading may be in RAM only for max_loss, so the hole has to be near the end. If the time was
// not given it counts as explained.
func (b *runState) costs(at moment) bool {
	return at.base == unknownTime || at.seconds >= b.newest[at.base]-b.maxLoss-crashSlack
}

// A moment is a time, since 1970 or, if the gateway did not know it, since power-up.
type moment struct {
	base    int
	seconds float64
}

const (
	unknownTime = iota
	sinceEpoch
	sincePowerUp
)

// A sequence is what arrived of one Key, as numbers.
type sequence struct {
	base       uint64 // the first number that arrived
	received   ranges
	starts     map[uint64]moment // when the first reading of each run was measured
	thinned    ranges            // the part of it that came as the mean of several
	lost       ranges            // as the ledger says
	partly     map[Range]uint64  // ranges of which the ledger says how many are lost, not which
	duplicates uint64
	disorder   uint64
	high       [2]uint64 // per lane: live, late
	newest     [3]mark   // the reading with the highest number, by base of its time
	reused     uint64    // readings that have the number of another one
}

// A mark is a reading's number and its time in seconds.
type mark struct {
	seq uint64
	at  float64
}

// check compares the time of a reading with that of the one with the highest number. Times rise
// with numbers, so a lower number at a later time is a number that was given twice: a machine was
// resumed from a snapshot of its memory.
func (s *sequence) check(seq uint64, at moment) {
	if at.base == unknownTime {
		return
	}
	switch high := &s.newest[at.base]; {
	case seq > high.seq:
		*high = mark{seq, at.seconds}
	case at.seconds > high.at+clockSlack, seq == high.seq && at.seconds < high.at-clockSlack:
		s.reused++
	}
}

// clockSlack is how far the times of one reading may be apart, in seconds: a millisecond and its
// rounding.
const clockSlack = 0.002

// note remembers when the first reading of a run was measured.
func (s *sequence) note(seq uint64, at moment) {
	if !s.received.begins(seq) {
		return
	}
	if len(s.starts) > 2*len(s.received)+16 { // runs that have grown together
		kept := make(map[uint64]moment, len(s.received))
		for _, r := range s.received {
			kept[r.First] = s.starts[r.First]
		}
		s.starts = kept
	}
	s.starts[seq] = at
}

// lose takes in an entry of the ledger. One that covers more numbers than it counts says that so
// many of them are lost; a crash may let the ledger report it twice.
func (s *sequence) lose(l contract.Loss) {
	r := Range{l.First, l.Last}
	if l.Count == 0 || l.Count >= size([]Range{r}) {
		s.lost.add(l.First, l.Last)
		return
	}
	if s.partly == nil {
		s.partly = map[Range]uint64{}
	}
	s.partly[r] = max(s.partly[r], l.Count)
}
