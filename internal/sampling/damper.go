package sampling

import "time"

const (
	flapSpan  = time.Minute
	flapLimit = 6 // changes within flapSpan that are reported one by one
)

// A damper finds out when a sensor changes too often for each change to be reported. Times are
// since power-up.
type damper struct {
	until    time.Duration // end of the span that is counted
	changes  int           // in it
	flapping bool
}

// change counts a change and says whether to report it: the first ones, and the one that makes the
// sensor flapping.
func (d *damper) change(up time.Duration) (report bool) {
	if !d.flapping && up >= d.until {
		d.until, d.changes = up+flapSpan, 0
	}
	d.changes++
	report = !d.flapping
	d.flapping = d.flapping || d.changes > flapLimit
	return report
}

// due says whether a span is over in which the sensor was flapping. Then the next one begins, and
// d.flapping is what it begins with.
func (d *damper) due(up time.Duration) (changes int, over bool) {
	if !d.flapping || up < d.until {
		return 0, false
	}
	changes = d.changes
	d.until, d.changes, d.flapping = up+flapSpan, 0, changes > flapLimit
	return changes, true
}
