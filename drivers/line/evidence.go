package line

import (
	"fmt"
	"unicode"
)

// explain says what is probably wrong when no line that fits has come in time; err is why the wait
// ended.
func (d *Dev) explain(err error) error {
	seen := &d.reader.Seen
	switch {
	case seen.Count == 0, seen.Strange*3 > seen.Count:
		return seen.Explain("line", "text", mode(&d.o), err)
	case d.misfit != "":
		what := "pattern"
		if d.o.Pattern == "" {
			what = "columns"
		}
		return fmt.Errorf("line: no line fits %s; the last one was %q: %w", what, printable(d.misfit), err)
	}
	return fmt.Errorf("line: %d bytes came but no whole line of at most %d bytes in UTF-8; the first are % x: %w", seen.Count, d.o.MaxLine, seen.First(), err)
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
