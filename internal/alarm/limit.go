package alarm

import (
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// A side is where a value lies: "above" or "below" a limit, or "" between them.
type side string

const (
	within side = ""
	above  side = "above"
	below  side = "below"
)

// A limit is the limits of one field, and where its values were.
type limit struct {
	field  string // after the filter
	config config.FieldFilter
	unit   string

	raised  side
	pending side          // where the values are that no alarm was raised for yet
	since   time.Duration // when they came there, since power-up
}

// sideOf returns where a value lies.
func (l *limit) sideOf(v float64) side {
	switch {
	case l.config.AlarmAbove != nil && v > *l.config.AlarmAbove:
		return above
	case l.config.AlarmBelow != nil && v < *l.config.AlarmBelow:
		return below
	}
	return within
}

// beyond reports whether a value is still so far beyond the limit of the alarm that it stays.
func (l *limit) beyond(v float64) bool {
	switch h := l.config.AlarmHysteresis; {
	case l.raised == above && l.config.AlarmAbove != nil:
		return v > *l.config.AlarmAbove-h
	case l.raised == below && l.config.AlarmBelow != nil:
		return v < *l.config.AlarmBelow+h
	}
	return false // it is of a limit that the configuration no longer has
}

// see takes in a value measured at up and returns what happens: an alarm is cleared, raised, or
// both, the other way.
func (l *limit) see(v drivers.Value, up time.Duration) (cleared, raised side) {
	if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt {
		return within, within // it is not known where the value is
	}
	x := v.Float()
	if l.raised != within {
		if l.beyond(x) {
			return within, within
		}
		cleared, l.raised, l.pending = l.raised, within, within
	}
	now := l.sideOf(x)
	if now != l.pending {
		l.pending, l.since = now, up
	}
	if now != within && up-l.since >= l.config.AlarmFor {
		raised, l.raised, l.pending = now, now, within
	}
	return cleared, raised
}

// describe says where a value is: "-12.1 Cel, above -15 for 5m (alarm_above)".
func (l *limit) describe(v drivers.Value, where side) string {
	of := l.config.AlarmAbove
	if where == below {
		of = l.config.AlarmBelow
	}
	text := fmt.Sprintf("%s, %s %v", l.number(v), where, *of)
	if l.config.AlarmFor > 0 {
		text += " for " + config.DurationText(l.config.AlarmFor)
	}
	return fmt.Sprintf("%s (alarm_%s)", text, where)
}

// number writes a value with its unit.
func (l *limit) number(v drivers.Value) string {
	if l.unit == "" {
		return fmt.Sprint(v.Any())
	}
	return fmt.Sprint(v.Any(), " ", l.unit)
}
