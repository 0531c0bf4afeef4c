package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/internal/terminal"
)

// A plainWriter is where every command prints: what it writes to out moves no cursor, sets no
// colour and asks no terminal for anything, whatever a device, a broker or a file has put into it.
// Control characters are written as \u001b, which is right in JSON too; line ends and tabs stay.
type plainWriter struct {
	out  io.Writer
	part []byte // the beginning of a character
}

// Write implements io.Writer.
func (w *plainWriter) Write(text []byte) (int, error) {
	in := append(w.part, text...)
	w.part = nil
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if !utf8.FullRune(in) {
			w.part = append([]byte(nil), in...)
			break
		}
		c, size := utf8.DecodeRune(in)
		switch {
		case c == utf8.RuneError && size == 1:
			out = fmt.Appendf(out, `\x%02x`, in[0])
		case c != '\n' && c != '\t' && isControl(c):
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, in[:size]...)
		}
		in = in[size:]
	}
	if _, err := w.out.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}

// draw writes a control sequence of our own.
func (w *plainWriter) draw(sequence string) { _, _ = io.WriteString(w.out, sequence) }

// draw writes a control sequence to where a command prints.
func draw(out io.Writer, sequence string) {
	if w, ok := out.(*plainWriter); ok {
		w.draw(sequence)
	}
}

// isControl reports whether a character acts instead of being seen: those of C0 and C1, and those
// that change the direction of the text around them.
func isControl(c rune) bool {
	return c < 0x20 || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x2028 || c == 0x2029
}

// oneLine shows a text from outside within a line: it begins no other one, and is not a column of
// its own.
func oneLine(text string) string {
	if !strings.ContainsAny(text, "\n\t") {
		return text
	}
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text)
}

// columns returns how wide the terminal is to which a command prints. 0: it prints elsewhere.
func columns(out io.Writer) int {
	if w, ok := out.(*plainWriter); ok {
		out = w.out
	}
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// hung breaks the lines of a table that are wider than width. What does not fit goes below the last
// column, which begins at column, if there is room. A width of 0 is unlimited.
func hung(table string, column, width int) string {
	const least = 30
	var b strings.Builder
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		runes := []rune(line)
		switch {
		case width <= 0 || len(runes) <= width:
			b.WriteString(line + "\n")
			continue
		case width-column < least || len(runes) < column:
			b.WriteString(strings.Join(terminal.Wrap(line, width), "\n") + "\n")
			continue
		}
		for i, text := range terminal.Wrap(string(runes[column:]), width-column) {
			head := string(runes[:column])
			if i > 0 {
				head = strings.Repeat(" ", column)
			}
			b.WriteString(head + text + "\n")
		}
	}
	return b.String()
}
