package config

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths in bytes of what is shown of a file, which may be anything.
const (
	maxMessage = 2000
	maxBefore  = 90 // of a line, before the place
	maxAfter   = 90
)

// around returns what to show of a line with a mistake at a column, which counts bytes from 1, and
// how many characters of that are before it.
func around(line string, col int) (text string, before int) {
	at := min(max(col-1, 0), len(line))
	head := printable(line[:at])
	if cut := len(head) - maxBefore; cut > 0 {
		for !utf8.RuneStart(head[cut]) {
			cut++
		}
		head = "…" + head[cut:]
	}
	return head + excerpt(line[at:], maxAfter), utf8.RuneCountInString(head)
}

// excerpt returns the beginning of s in a printable form of a length.
func excerpt(s string, length int) string {
	s = printable(s[:min(len(s), length+utf8.UTFMax)]) // which is never shorter
	if len(s) <= length {
		return s
	}
	for !utf8.RuneStart(s[length]) {
		length--
	}
	return s[:length] + "…"
}

// printable replaces what is not text, or what a terminal would obey: tabs by spaces, the rest as
// in Go's strings.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r) && (r != utf8.RuneError || strings.HasPrefix(s[i:], "\ufffd")):
			b.WriteRune(r)
		case r == utf8.RuneError:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
