package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
)

// How times, numbers, values and units are written for people.

// clockTime writes a time by the gateway's clock, or since power-up if the time is not known.
func clockTime(t contract.Time, up float64, layout string) string {
	if !t.IsZero() {
		return t.Local().Format(layout)
	}
	if up == 0 {
		return "–"
	}
	return "up " + health.Span(time.Duration(up*1e9))
}

func zone(t contract.Time) string {
	if t.IsZero() {
		return "the time is not known: times count from power-up"
	}
	name, _ := t.Local().Zone()
	return "times are the gateway's, " + name
}

// came writes when something was, with its day unless that is today.
func came(t, now contract.Time) string {
	layout := time.TimeOnly
	if t.Local().YearDay() != now.Local().YearDay() || t.Year() != now.Year() {
		layout = "Jan 2, 15:04"
	}
	return clockTime(t, 0, layout)
}

// ago writes a moment since power-up by the gateway's clock.
func ago(h contract.Health, up time.Duration) string {
	t := h.TS
	if !t.IsZero() {
		t.Time = t.Add(up - time.Duration(h.Up*1e9))
	}
	layout := time.TimeOnly
	if h.Up-up.Seconds() > 12*3600 {
		layout = "Mon 15:04"
	}
	return clockTime(t, up.Seconds(), layout)
}

func rate(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "no reading in the last minute"
	case perSecond < 0.1:
		return fmt.Sprintf("%.1f readings a minute", perSecond*60)
	}
	return fmt.Sprintf("%.1f readings a second", perSecond)
}

// badFields counts the fields without a value.
func badFields(h *contract.Health) (n int) {
	for _, s := range h.Sensors {
		n += len(s.Bad)
	}
	return n
}

// count writes a number with its thousands apart.
func count[T int64 | uint64 | int](n T) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// shown writes a value and its unit: bytes and long times as people say them.
func shown(v any, unit string) (text, its string) {
	size, ok := v.(float64)
	if n, whole := v.(int64); whole {
		size, ok = float64(n), true
	}
	switch {
	case ok && unit == "B" && size >= 1024:
		text, its, _ = strings.Cut(health.Bytes(size), " ")
		return text, its
	case ok && unit == "s" && size >= 120:
		return health.Span(health.Seconds(size)), ""
	}
	return valueText(v), unitText(unit)
}

// valueText writes a value with the digits that a person reads.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case float64:
		return number(v)
	case bool:
		if v {
			return "on"
		}
		return "off"
	case string:
		return cut(v, 80)
	}
	return fmt.Sprint(v)
}

// number writes at most three digits after the point, fewer of a large number and more of a small
// one.
func number(v float64) string {
	size := math.Abs(v)
	digits := 3
	switch {
	case size >= 1e15 || size < 0.01 && size > 0:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case size >= 1e5:
		digits = 0
	case size >= 1e4:
		digits = 1
	case size >= 100:
		digits = 2
	case size < 1:
		digits = 4
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

var beforeUnits = strings.NewReplacer(" B", "\u00a0B", " KiB", "\u00a0KiB", " MiB", "\u00a0MiB", " GiB", "\u00a0GiB", " TiB", "\u00a0TiB")

// whole keeps numbers of bytes and their units in one line.
func whole(text string) string { return beforeUnits.Replace(text) }

// unitText writes a unit of SenML as people do.
func unitText(unit string) string {
	switch unit {
	case "Cel":
		return "°C"
	case "%RH", "%EL":
		return "%"
	case "/":
		return ""
	}
	return unit
}
