package verify

import "github.com/fieldgate/fieldgate/internal/contract"

// A boot is one start of a gateway's program.
type boot struct {
	gateway, store string
	n              uint32
}

// A bootState is what is known of a boot.
type bootState struct {
	began    bool               // its first reading is expected: it was listened to from the beginning
	opens    bool               // its boot event tells of no boot before it in this store
	heard    bool               // a reading of it arrived
	replaced bool               // after it was heard another store took the place of its store
	end      *contract.Previous // as later boots tell
	events   ranges
	unknown  uint64     // losses that cannot be counted
	maxLoss  float64    // seconds, as its boot event told
	newest   [3]float64 // when its newest reading was measured, by base
}

// ended notes how a boot ended. Where that is told differently, the stronger counts: a clean end, and the higher number.
func (b *bootState) ended(p *contract.Previous) {
	if b.end == nil {
		b.end = &contract.Previous{Store: p.Store, Boot: p.Boot, End: p.End, Last: map[string]uint64{}}
	}
	if p.End == contract.EndClean {
		b.end.End = contract.EndClean
	}
	for sensor, last := range p.Last {
		b.end.Last[sensor] = max(b.end.Last[sensor], last)
	}
}

// crashSlack is how much longer than max_loss before the end of a boot a hole may be that a crash explains, in seconds: what is on
// its way, and clocks.
const crashSlack = 5

// costs reports whether a crash explains a hole before a reading that was measured at that moment. A reading may be in RAM only for
// max_loss, so the hole has to be near the end. Where the time was not told it counts as explained.
func (b *bootState) costs(at moment) bool {
	return at.base == untold || at.seconds >= b.newest[at.base]-b.maxLoss-crashSlack
}

// A moment is a time, since 1970 or, where the gateway did not know it, since power-up.
type moment struct {
	base    int
	seconds float64
}

const (
	untold = iota
	sinceEpoch
	sincePowerUp
)

// A sequence is what arrived of one Key, as numbers.
type sequence struct {
	base       uint64 // the first number that arrived
	received   ranges
	starts     map[uint64]moment // when the first reading of each run was measured
	thinned    ranges            // the part of it that came as the mean of several
	lost       ranges            // as the ledger tells
	partly     map[Range]uint64  // ranges of which the ledger tells how many are lost, not which
	duplicates uint64
	disorder   uint64
	high       [2]uint64 // per lane: live, late
}

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

// lose takes in an entry of the ledger. One that covers more numbers than it counts says that so many of them are lost; a crash may let
// the ledger tell it twice.
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
