package filter

import (
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
)

// Explain says for people why fields have no value, by their names: what the driver said, or what
// came and what was plausible. values are what Apply or Convert just returned. It returns nil if
// none is bad, and allocates if one is.
func (c *Chain) Explain(values []drivers.Value) map[string]string {
	var why map[string]string
	for _, v := range values {
		if v.Kind() != drivers.KindBad {
			continue
		}
		if why == nil {
			why = map[string]string{}
		}
		why[v.Field] = v.Reason()
		if f := c.named(v.Field); f != nil && f.outside {
			why[v.Field] = f.implausible()
		}
	}
	return why
}

// implausible says what came and what was expected.
func (f *field) implausible() string {
	const advice = "scale, type or word_order wrong?"
	low, high := f.config.Min, f.config.Max
	switch {
	case high == nil:
		return fmt.Sprintf("%.6g is below %.6g (field.%s.min): %s", f.came, *low, f.from, advice)
	case low == nil:
		return fmt.Sprintf("%.6g is above %.6g (field.%s.max): %s", f.came, *high, f.from, advice)
	}
	return fmt.Sprintf("%.6g is outside %.6g to %.6g (field.%s.min, max): %s", f.came, *low, *high, f.from, advice)
}
