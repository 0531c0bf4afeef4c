package line

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	maxShown     = 80  // bytes of a line in messages
	maxShownJSON = 240 // whose names matter
)

// seen is what has come since the last line that fitted, for messages.
type seen struct {
	last    []byte // the last line that did not fit; nil: none
	text    []byte // what it was taken for
	misfits int    // how many did not
	garbled int    // lines of noise
	open    []byte // the last line that did not end a record
}

func (s *seen) misfit(line, text []byte) {
	s.misfits++
	s.last, s.text = append(s.last[:0], line...), append(s.text[:0], text...)
}

func (s *seen) part(line []byte) { s.open = append(s.open[:0], line...) }

// forget forgets what has come before a line that fitted.
func (d *Dev) forget() {
	s := &d.seen
	*s = seen{last: s.last[:0], text: s.text[:0], open: s.open[:0]}
	d.lines.lines, d.lines.long = 0, 0
	if d.records != nil {
		d.records.long, d.records.ends = 0, 0
	}
}

// explain says what is probably wrong when no line that fits has come in time, and which option may
// help; err is why the wait ended.
func (d *Dev) explain(err error) error {
	return fmt.Errorf("line: %s: %w", d.diagnosis(), err)
}

func (d *Dev) diagnosis() string {
	came := &d.reader.Seen
	switch {
	case came.Count == 0:
		return d.silence()
	case came.Strange*3 > came.Count && d.seen.misfits <= d.seen.garbled:
		return d.noise()
	case d.seen.misfits > 0:
		return d.misfit()
	}
	return d.incomplete()
}

// silence says what is wrong if nothing came.
func (d *Dev) silence() string {
	came := &d.reader.Seen
	if d.request == nil {
		return came.Silence() + " What speaks only when asked needs send, what speaks seldom a longer timeout of the sensor"
	}
	text := fmt.Sprintf("nothing came in answer to %s: does send end as the device wants it (often with \\r or \\r\\n)", shown(d.request, maxShown))
	if came.Kind() == drivers.DevicePort {
		return text + ", are baud and parity its own, is it powered, and is its RX wired to our TX?"
	}
	return text + "? Otherwise: " + came.Silence()
}

// noise says what is wrong if what came is not text.
func (d *Dev) noise() string {
	first := d.reader.Seen.First()
	text := fmt.Sprintf("%d bytes came but no text; the first are % x: ", d.reader.Seen.Count, first)
	mode := mode(&d.o)
	switch {
	case d.reader.Seen.Kind() == drivers.DevicePort && mode.DataBits == 8 && hasParity(first):
		return text + fmt.Sprintf("they are text with parity bits (configured: %v): set data_bits = 7 and parity", mode)
	case d.lines.lines == 0 && bytes.ContainsAny(first, "\x03\x04") && d.o.LineEnd == "":
		return text + "if a value ends with ETX (03), set line_end = \"\\u0003\""
	}
	return text + d.reader.Seen.Noise(mode)
}

// hasParity reports whether bytes are text in which the eighth bit is that of the parity.
func hasParity(b []byte) bool {
	var odd, set int
	for _, c := range b {
		if low := c & 0x7f; low < ' ' && low != '\t' && low != '\r' && low != '\n' || low == 0x7f {
			return false
		}
		odd += bits.OnesCount8(c) % 2
		set += int(c >> 7)
	}
	return len(b) >= 4 && set > 0 && (odd == 0 || odd == len(b))
}

// misfit says why the last line does not fit.
func (d *Dev) misfit() string {
	line, limit := "line", maxShown
	if d.records != nil {
		line = "record"
	}
	if d.o.Format == formatJSON {
		limit = maxShownJSON
	}
	text := fmt.Sprintf("no %s fits %s; the last one was %s", line, d.form(), shown(d.seen.last, limit))
	if why := d.parser.why(d.seen.text); why != "" {
		text += ": " + why
	}
	switch {
	case d.o.Encoding != latin1Text && !utf8.Valid(d.seen.last):
		text += " (it is not UTF-8: set encoding = \"latin-1\")"
	case d.o.Pattern != "" && d.records == nil && d.seen.misfits > 1 && len(fields(&d.o)) > 1:
		text += " (if a reading has several lines, set record_end)"
	}
	return text
}

// form names what lines have to fit.
func (d *Dev) form() string {
	switch {
	case d.o.Format != formatJSON:
		return d.o.from()
	case len(d.o.Match) > 0:
		return "fields and match"
	}
	return "fields"
}

// incomplete says what is wrong if text came, but no whole line or record.
func (d *Dev) incomplete() string {
	text := fmt.Sprintf("%d bytes came but no ", d.reader.Seen.Count)
	first := shown(d.reader.Seen.First(), maxShown)
	switch {
	case d.records != nil && (d.records.long > 0 || d.lines.long > 0):
		return text + fmt.Sprintf("record of at most %d bytes; the last line was %s: does record_end (%q) match the last line of each, or is max_line too small?", d.o.MaxLine, shown(d.seen.open, maxShown), d.o.RecordEnd)
	case d.lines.long > 0 && d.lines.lines == 0:
		return text + fmt.Sprintf("line end (%s) within %d bytes; the first are %s: set line_end, or a larger max_line", d.lineEnd(), d.o.MaxLine, first)
	case d.lines.long > 0:
		return text + fmt.Sprintf("line of at most %d bytes; the first are %s: set a larger max_line", d.o.MaxLine, first)
	case d.lines.lines == 0:
		return text + fmt.Sprintf("line end (%s); the first are %s: set line_end", d.lineEnd(), first)
	case d.records != nil && d.records.ends == 0 && len(d.seen.open) > 0:
		return text + fmt.Sprintf("whole record in %s, the last of which was %s: set record_end (%q) to match the last line of each, or a longer timeout of the sensor", count(d.lines.lines, "line"), shown(d.seen.open, maxShown), d.o.RecordEnd)
	case d.seen.garbled > 0:
		return text + fmt.Sprintf("line of text; the first are %s", first)
	}
	return text + "whole line, only the rest of one: a device that speaks seldom needs a longer timeout of the sensor"
}

// lineEnd returns what a line ends with, for messages.
func (d *Dev) lineEnd() string {
	if d.o.LineEnd == "" {
		return "CR or LF"
	}
	return fmt.Sprintf("%q", d.o.LineEnd)
}

// shown returns the beginning of what a device said, with controls and strange bytes as escapes.
func shown(raw []byte, limit int) string {
	if len(raw) <= limit {
		return fmt.Sprintf("%q", raw)
	}
	for limit > 0 && !utf8.RuneStart(raw[limit]) {
		limit--
	}
	return fmt.Sprintf("%q…", raw[:limit])
}

// problem says why a word is not a value of the field, and which option may help; "" if it is, or
// if there is none.
func (r *fieldReader) problem(word string) string {
	word = trimmed(word)
	v := r.value(word)
	if v.Kind() != drivers.KindBad || v.Reason() == "not measured" {
		return ""
	}
	quoted := shown([]byte(word), maxShown)
	if v.Reason() == "range" {
		return fmt.Sprintf("field %s: %s is too large a number", r.name, quoted)
	}
	_, isBool := boolean(word)
	_, point := plainNumber(word, false)
	switch {
	case r.kind == drivers.KindBool:
		return fmt.Sprintf("field %s: %s is not a bool, which is 1, true, on, yes, 0, false, off or no (set type)", r.name, quoted)
	case v.Reason() == "decimal comma":
		return fmt.Sprintf("field %s: %s is not a number (a decimal comma? set decimal)", r.name, quoted)
	case r.comma && point:
		return fmt.Sprintf("field %s: %s is not a number with a decimal comma: leave decimal out", r.name, quoted)
	case r.kind == drivers.KindInt && point:
		return fmt.Sprintf("field %s: %s is not a whole number (set type = \"float\")", r.name, quoted)
	case isBool:
		return fmt.Sprintf("field %s: %s is not a number (set type = \"bool\")", r.name, quoted)
	case strings.ContainsAny(word[:1], "+-.0123456789"):
		return fmt.Sprintf("field %s: %s is not a number (if a unit comes after it, leave that out by pattern)", r.name, quoted)
	}
	return fmt.Sprintf("field %s: %s is not a number (set type = \"string\" for a text, invalid for one that means \"not measured\")", r.name, quoted)
}
