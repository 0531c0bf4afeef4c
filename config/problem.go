package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A Problem is one mistake in a configuration file.
type Problem struct {
	File      string // as given to Load
	Line, Col int    // from 1; 0 if the mistake is something missing from the whole file
	// the offending line, without its end; of a long one what is around the place, and in no case
	// anything that a terminal obeys
	Text string
	Msg  string // what is wrong and what would be right

	before  int    // characters of Text before the place
	follows bool   // from a mistake that is reported already
	taker   *pos   // in a template: the sensor that takes it
	kind    string // the message without the sensor's name
}

// String shows the problem as a compiler would: position and message, then the line with a mark
// under the place.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	b.WriteString(": ")
	b.WriteString(p.Msg)
	if p.Line > 0 {
		fmt.Fprintf(&b, "\n  %s\n  %s^", p.Text, strings.Repeat(" ", p.before))
	}
	return b.String()
}

// Problems is the error that Load returns: every mistake that was found, in the order of the text.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// reporter collects problems while a configuration is read.
type reporter struct {
	problems Problems
	lines    map[string][]string // the text of each file, for Problem.Text
	order    map[string]int
	wrong    map[pos]bool // values of which no more is to be reported
}

func newReporter() *reporter {
	return &reporter{lines: map[string][]string{}, order: map[string]int{}, wrong: map[pos]bool{}}
}

func (r *reporter) addFile(name, text string) {
	r.order[name] = len(r.order)
	r.lines[name] = strings.Split(text, "\n")
}

// line returns the text of a line; "" if there is none.
func (r *reporter) line(at pos) string {
	if lines := r.lines[at.file]; at.line >= 1 && at.line <= len(lines) {
		return lines[at.line-1]
	}
	return ""
}

func (r *reporter) report(at pos, format string, args ...any) {
	msg := userInURL.ReplaceAllString(fmt.Sprintf(format, args...), "://"+hidden+"@")
	p := Problem{File: at.file, Line: at.line, Col: at.col, Msg: excerpt(msg, maxMessage), follows: r.wrong[at], taker: at.taker}
	p.kind = sensorPath.ReplaceAllString(p.Msg, "sensor")
	if lines := r.lines[at.file]; at.line >= 1 && at.line <= len(lines) {
		p.Text, p.before = around(strings.TrimRight(lines[at.line-1], "\r"), at.col)
		if userInURL.MatchString(lines[at.line-1]) {
			p.Text, p.before = notShown, 0
		}
	}
	r.problems = append(r.problems, p)
}

// userInURL is the user information of something that is meant to be a URL, whatever is wrong with
// it.
var userInURL = regexp.MustCompile(`://[^"']*@`)

// notShown stands for a line that must not be shown.
const notShown = "(not shown: it holds a secret)"

// distrust drops what will be reported of the value at a place: it is not what the file says.
func (r *reporter) distrust(at pos) {
	if at.line > 0 {
		r.wrong[at] = true
	}
}

var sensorPath = regexp.MustCompile(`\bsensor\.(\d+)\b`)

// nameSensors says `sensor "hall"` where the messages say sensor.0: an operator knows names, not
// counts.
func (r *reporter) nameSensors(sensors []Sensor) {
	for i := range r.problems {
		p := &r.problems[i]
		p.Msg = sensorPath.ReplaceAllStringFunc(p.Msg, func(path string) string {
			n, err := strconv.Atoi(path[len("sensor."):])
			if err != nil || n >= len(sensors) || sensors[n].Name == "" {
				return path
			}
			return fmt.Sprintf("sensor %q", sensors[n].Name)
		})
	}
}

// reportSecret reports a mistake in a line that must not be shown.
func (r *reporter) reportSecret(at pos, format string, args ...any) {
	r.report(at, format, args...)
	p := &r.problems[len(r.problems)-1]
	p.Text, p.before = notShown, 0
}

// err returns what was reported as one error, nil if nothing was.
func (r *reporter) err() error {
	r.problems = slices.DeleteFunc(r.problems, func(p Problem) bool { return p.follows })
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool {
		a, b := r.problems[i], r.problems[j]
		if a.File != b.File {
			return r.order[a.File] < r.order[b.File]
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	r.nameTakers()
	return r.problems
}

// nameTakers says at each mistake in a template where the sensor stands that takes it, and once
// what all of its sensors have.
func (r *reporter) nameTakers() {
	var out Problems
	for i := 0; i < len(r.problems); {
		p, n := r.problems[i], 1
		for ; i+n < len(r.problems); n++ {
			q := r.problems[i+n]
			if p.taker == nil || q.taker == nil || q.File != p.File || q.Line != p.Line || q.Col != p.Col || q.kind != p.kind {
				break
			}
		}
		i += n
		if p.taker != nil {
			p.Msg += fmt.Sprintf(" (template of the sensor in %s:%d", filepath.Base(p.taker.file), p.taker.line)
			if n > 1 {
				p.Msg += fmt.Sprintf(" and of %d more", n-1)
			}
			p.Msg += ")"
		}
		out = append(out, p)
	}
	r.problems = out
}

// DidYouMean returns ` (did you mean "x"?)` for the known name nearest to got, or else for the
// shortest that contains it, or "" when none is near.
func DidYouMean(got string, known []string) string {
	if len(got) > 64 { // no slip of the finger
		return ""
	}
	best, distance := "", len(got)/3+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(got), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	for _, k := range known { // "SDM630" of "eastron-sdm630"
		part := len(got) > 3 && distance == len(got)/3+2 && strings.Contains(strings.ToLower(k), strings.ToLower(got))
		if part && (best == "" || len(k) < len(best)) {
			best = k
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is the number of insertions, deletions, replacements and swaps of neighbours between
// a and b (Damerau-Levenshtein, restricted), in bytes.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
