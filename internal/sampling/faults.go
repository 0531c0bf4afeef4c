package sampling

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/filter"
)

const (
	// noValueReadings is how many readings in a row without any value make a sensor Bad: one may be
	// a disturbance.
	noValueReadings = 3
	// explainEvery is how often it is reported again what came in the place of values that stay
	// bad.
	explainEvery = time.Second
)

// faults are the fields of a sensor that have no value.
type faults struct {
	fields    []drivers.Value // that were bad in the last reading
	set       int             // becomes another when fields does
	noValues  int             // readings in a row without any value
	why       map[string]string
	explained time.Duration // when why was made; it does not change after that
}

// note takes in the reading made at up, as the filter left it.
func (f *faults) note(chain *filter.Chain, up time.Duration, values []drivers.Value) {
	n, same := 0, true
	for i := range values {
		if values[i].Kind() == drivers.KindBad {
			same = same && n < len(f.fields) && f.fields[n] == values[i]
			n++
		}
	}
	f.noValues++
	if n < len(values) {
		f.noValues = 0
	}
	same = same && n == len(f.fields)
	if same && (n == 0 || up-f.explained < explainEvery) {
		return
	}
	if !same {
		f.set++
		f.fields = f.fields[:0]
		for _, v := range values {
			if v.Kind() == drivers.KindBad {
				f.fields = append(f.fields, v)
			}
		}
	}
	f.why, f.explained = chain.Explain(values), up
}

// listed is how many fields a text names.
const listed = 4

// list makes one text of the reasons of fields, by their names.
func list(why map[string]string) string {
	var b strings.Builder
	for i, field := range slices.Sorted(maps.Keys(why)) {
		if i == listed {
			fmt.Fprintf(&b, "; and %d more", len(why)-listed)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(field + ": " + why[field])
	}
	return b.String()
}
