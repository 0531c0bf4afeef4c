package terminal

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks a line at words, so that none is wider than width. What follows a line that begins
// with spaces begins with two more.
func Wrap(line string, width int) []string {
	if width < 1 || utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	switch hanging := indent + "  "; {
	case indent == "":
	case len(hanging) < width/2:
		indent = hanging
	case len(indent) >= width/2: // there is no room for it
		indent, line = "", strings.TrimLeft(line, " ")
	}
	var lines []string
	rest := []rune(line)
	for len(rest) > width {
		at := width
		for at > len(indent) && rest[at] != ' ' { // rest[width] may be a space: then the line is full
			at--
		}
		if at <= len(indent) || strings.Trim(string(rest[:at]), " ") == "" {
			at = broken(rest, max(len(indent), width/2), width)
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		rest = []rune(indent + strings.TrimLeft(string(rest[at:]), " "))
	}
	if strings.Trim(string(rest), " ") != "" {
		lines = append(lines, string(rest))
	}
	return lines
}

// broken returns where a word breaks that is wider than the terminal: between its parts if it has
// some that are not short, else where the line ends.
func broken(word []rune, least, width int) int {
	for at := width; at > least; at-- {
		if strings.ContainsRune(":/,", word[at-1]) {
			return at
		}
	}
	return width
}

// Cut shortens a line to width; what is missing is marked.
func Cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	if width < 1 {
		return ""
	}
	return string([]rune(line)[:width-1]) + "…"
}
