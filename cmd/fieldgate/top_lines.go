package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/sampling"
	"github.com/fieldgate/fieldgate/internal/terminal"
)

// A tone is what a line means to who looks.
type tone int

const (
	plain tone = iota
	title
	good
	doubtful
	wrong
	faint
)

// A topLine is a line of top, without control characters.
type topLine struct {
	text string
	tone tone
}

// wrapTop breaks a line so that it fits. A width of 0 is unlimited.
func wrapTop(line topLine, width int) (lines []topLine) {
	for _, text := range terminal.Wrap(visible(line.text), width) {
		lines = append(lines, topLine{text, line.tone})
	}
	return lines
}

// labelled puts a word before a line, and what does not fit below the text if there is room.
func labelled(label string, line topLine, width int) (lines []topLine) {
	const column = 7
	if width > 0 && width < 4*column {
		return wrapTop(topLine{label + "  " + line.text, line.tone}, width)
	}
	for i, text := range terminal.Wrap(visible(line.text), width-column) {
		lines = append(lines, topLine{fmt.Sprintf("%-*s%s", column, []string{label, ""}[min(i, 1)], text), line.tone})
	}
	return lines
}

// visible is a text from outside as the commands print it: nothing in it moves the cursor.
func visible(text string) string {
	var b bytes.Buffer
	_, _ = (&plainWriter{out: &b}).Write([]byte(oneLine(text))) // a buffer takes everything
	return strings.ToValidUTF8(b.String(), "")
}

// wide is from how many columns on sensors are a table.
const wide = 60

// topLines is the state of a gateway in a terminal of this width; 0 is unlimited. whole shows all
// values of a sensor, in as many lines as they need, instead of one line of each sensor.
func topLines(s contract.LocalStatus, width int, whole bool) (lines []topLine) {
	add := func(text string, t tone) { lines = append(lines, wrapTop(topLine{text, t}, width)...) }
	h := s.Health
	state := good
	if h.State != "ok" {
		state = wrong
	}
	add(s.Gateway+"  "+h.State, state)
	for _, r := range h.Reasons {
		add("  "+r, wrong)
	}
	for _, a := range h.Alarms {
		add("  alarm: "+a, doubtful)
	}
	if s.Config != "current" {
		add("  the configuration is wrong: this is the last one that worked", wrong)
	}
	link := good
	switch {
	case h.Link.Asleep:
		link = plain
	case !h.Link.Connected:
		link = wrong
	}
	lines = append(lines, labelled("link", topLine{oneLine(health.LinkText(s)), link}, width)...)
	lines = append(lines, labelled("queue", topLine{health.QueueText(h), plain}, width)...)
	lines = append(lines, labelled("rates", topLine{health.RatesText(h.Queue), plain}, width)...)
	lines = append(lines, topLine{})
	return append(lines, topSensors(s, width, whole)...)
}

// topSensors are the sensors, those that do not work first.
func topSensors(s contract.LocalStatus, width int, whole bool) (lines []topLine) {
	names := slices.SortedFunc(maps.Keys(s.Health.Sensors), func(a, b string) int {
		return cmp.Or(cmp.Compare(toneOf(s.Health.Sensors[b]), toneOf(s.Health.Sensors[a])), strings.Compare(a, b))
	})
	longest := len("SENSOR")
	for _, name := range names {
		longest = max(longest, utf8.RuneCountInString(name))
	}
	if len(names) == 0 {
		return []topLine{{"no sensors", faint}}
	}
	table := width == 0 || width >= wide
	cut := func(text string) string {
		if width == 0 {
			return text
		}
		return terminal.Cut(text, width)
	}
	const stateWidth = len("disabled")
	longest = min(longest, 32)
	if table {
		lines = append(lines, topLine{cut(fmt.Sprintf("%-*s  %-*s  NEWEST VALUES", longest, "SENSOR", stateWidth, "STATE")), title})
	}
	for _, name := range names {
		v := s.Health.Sensors[name]
		values := visible(valuesText(s.Newest[name]))
		switch {
		case table:
			head := fmt.Sprintf("%-*s  %-*s  ", longest, terminal.Cut(visible(name), longest), stateWidth, visible(v.State))
			room := width - utf8.RuneCountInString(head)
			if width == 0 || !whole {
				lines = append(lines, topLine{cut(head + values), toneOf(v)})
				break
			}
			for i, text := range filled(strings.Split(values, apart), room) {
				if i > 0 {
					head = strings.Repeat(" ", width-room)
				}
				lines = append(lines, topLine{cut(head + text), toneOf(v)})
			}
		default:
			lines = append(lines, wrapTop(topLine{name + "  " + v.State, toneOf(v)}, width)...)
			for _, part := range strings.Split(values, apart) {
				if part != "" {
					lines = append(lines, wrapTop(topLine{"  " + part, plain}, width)...)
				}
			}
		}
		for _, text := range health.Complaints(v) {
			lines = append(lines, wrapTop(topLine{"    " + text, toneOf(v)}, width)...)
		}
	}
	return lines
}

// toneOf judges a sensor.
func toneOf(v contract.SensorHealth) tone {
	switch sampling.Condition(v.State) {
	case sampling.OK:
		if len(v.Bad) > 0 || v.Flaps > 0 {
			return doubtful
		}
		return plain
	case sampling.Disabled:
		return plain
	case sampling.Frozen:
		return doubtful
	case sampling.Failing, sampling.Missing, sampling.Stale, sampling.Bad:
		return wrong
	}
	return plain // it has not been read yet
}

// apart is between two values.
const apart = "   "

// valuesText shows values.
func valuesText(n contract.Newest) string {
	var parts []string
	for _, v := range n.Values {
		if v.Value == nil || v.Bad != "" {
			parts = append(parts, v.Field+" –")
			continue
		}
		parts = append(parts, v.Field+" "+valueText(v.Value, v.Unit))
	}
	return strings.Join(parts, apart)
}

// filled puts parts into lines of this width, as many into each as fit, at least one.
func filled(parts []string, width int) (lines []string) {
	for _, part := range parts {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last]+apart+part) <= width {
			lines[last] += apart + part
			continue
		}
		lines = append(lines, part)
	}
	return lines
}

// valueText shows a value as JSON has it.
func valueText(v any, unit string) string {
	number, ok := v.(float64)
	if unit == "/" { // of SenML: a ratio
		unit = ""
	}
	switch {
	case !ok:
		return strings.TrimSpace(fmt.Sprintf("%v %s", v, unit))
	case unit == "B":
		return health.Bytes(number)
	}
	if number != math.Trunc(number) { // a few digits are enough for the eye
		number, _ = strconv.ParseFloat(strconv.FormatFloat(number, 'g', 7, 64), 64)
	}
	const most = 1e15 // beyond it digits would be made up
	format := byte('f')
	if math.Abs(number) >= most {
		format = 'g'
	}
	return strings.TrimSpace(strconv.FormatFloat(number, format, -1, 64) + " " + unit)
}
