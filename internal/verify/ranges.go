package verify

import "sort"

// Range is a run of sequence numbers; both ends are included.
type Range struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// ranges is a set of numbers as sorted runs that neither overlap nor touch.
type ranges []Range

// add puts a run into the set and returns how many of its numbers were there already.
func (s *ranges) add(first, last uint64) (again uint64) {
	r := *s
	i := sort.Search(len(r), func(i int) bool { return r[i].Last+1 >= first })
	j := i
	merged := Range{first, last}
	for ; j < len(r) && r[j].First <= last+1; j++ {
		if low, high := max(r[j].First, first), min(r[j].Last, last); low <= high {
			again += high - low + 1
		}
		merged.First, merged.Last = min(merged.First, r[j].First), max(merged.Last, r[j].Last)
	}
	if i == j {
		r = append(r, Range{})
		copy(r[i+1:], r[i:])
		r[i] = merged
	} else {
		r[i] = merged
		r = append(r[:i+1], r[j:]...)
	}
	*s = r
	return again
}

// begins reports whether a run of the set begins with n.
func (s ranges) begins(n uint64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].First >= n })
	return i < len(s) && s[i].First == n
}

// holes returns the runs between 1 and last that the set does not have.
func (s ranges) holes(last uint64) []Range {
	var out []Range
	next := uint64(1)
	for _, r := range s {
		if r.First > last {
			break
		}
		if r.First > next {
			out = append(out, Range{next, r.First - 1})
		}
		next = r.Last + 1
	}
	if next <= last {
		out = append(out, Range{next, last})
	}
	return out
}

// count returns how many numbers the set has.
func (s ranges) count() (n uint64) {
	for _, r := range s {
		n += r.Last - r.First + 1
	}
	return n
}

func (s ranges) last() uint64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].Last
}

// split parts runs into those up to a number and those above it.
func split(runs []Range, at uint64) (low, high []Range) {
	for _, r := range runs {
		if r.First <= at {
			low = append(low, Range{r.First, min(r.Last, at)})
		}
		if r.Last > at {
			high = append(high, Range{max(r.First, at+1), r.Last})
		}
	}
	return low, high
}

// size returns how many numbers runs have.
func size(runs []Range) uint64 { return ranges(runs).count() }
