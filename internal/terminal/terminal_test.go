package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	for _, v := range []struct {
		line  string
		width int
		want  string
	}{
		{"short", 20, "short"},
		{"", 20, ""},
		{"one two three four", 9, "one two|three|four"},
		{"exactly9x more", 9, "exactly9x|more"},
		{"  SHA-256: AA:BB:CC:DD:EE:FF:00:11", 20, "  SHA-256:|    AA:BB:CC:DD:EE:|    FF:00:11"},
		{"äöü äöü äöü", 7, "äöü äöü|äöü"},
		{"  one two three", 14, "  one two|    three"},
		{"no width", 0, "no width"},
		{"abcdef", 1, "a|b|c|d|e|f"},
	} {
		if got := strings.Join(Wrap(v.line, v.width), "|"); got != v.want {
			t.Errorf("%q at %d: want %q, got %q", v.line, v.width, v.want, got)
		}
	}
}

// FuzzWrap: no line is too wide, and no letter is lost.
func FuzzWrap(f *testing.F) {
	f.Add("  a text with words, and averyverylongword", 20)
	f.Add("00000000\r", 7)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = width%300 + 1
		if width < 1 || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\t") {
			return
		}
		lines := Wrap(text, width)
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("%q is wider than %d", line, width)
			}
		}
		letters := strings.NewReplacer(" ", "").Replace
		if letters(strings.Join(lines, "")) != letters(text) {
			t.Errorf("%q became %q", text, lines)
		}
		if c := Cut(text, width); utf8.RuneCountInString(c) > width {
			t.Errorf("cut to %q", c)
		}
	})
}
