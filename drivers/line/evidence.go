package line

import (
	"fmt"
	"unicode"
)

// evidence is what came instead of a line that fits.
type evidence struct {
	count   int     // bytes, without line ends
	strange int     // of them, those that no text has
	first   [8]byte // the first of them
	last    string  // the last whole line
}

func (e *evidence) bytes(b []byte) {
	for _, c := range b {
		if c == '\r' || c == '\n' {
			continue
		}
		if e.count < len(e.first) {
			e.first[e.count] = c
		}
		e.count++
		if c >= 0x80 || c < ' ' && c != '\t' {
			e.strange++
		}
	}
}

func (e *evidence) line(line string) { e.last = line }

// explain says what is probably wrong when no line has come in time; err is why the wait ended.
func (e *evidence) explain(o *Options, err error) error {
	line := fmt.Sprintf("%d baud, %d data bits, parity %s, %d stop bits", o.Baud, o.DataBits, o.Parity, o.StopBits)
	switch {
	case e.count == 0:
		return fmt.Errorf("line: nothing came: is the device powered and sending, and is its TX wired to our RX? %w", err)
	case e.strange*3 > e.count:
		return fmt.Errorf("line: %d bytes came but no text; the first are % x: the baud rate is probably not the device's (configured: %s): %w",
			e.count, e.first[:min(e.count, len(e.first))], line, err)
	case e.last != "":
		what := "pattern"
		if o.Pattern == "" {
			what = "columns"
		}
		return fmt.Errorf("line: no line fits %s; the last one was %q: %w", what, printable(e.last), err)
	}
	return fmt.Errorf("line: %d bytes came but no whole line of at most %d bytes in UTF-8; the first are % x: %w", e.count, o.MaxLine, e.first[:min(e.count, len(e.first))], err)
}

// printable returns at most 80 characters of a line without control characters.
func printable(line string) string {
	var out []rune
	for _, r := range line {
		if len(out) == 80 {
			return string(out) + "…"
		}
		if unicode.IsPrint(r) {
			out = append(out, r)
		}
	}
	return string(out)
}
