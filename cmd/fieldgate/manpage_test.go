package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A manPage makes roff, for man, of a page of docs: of headings, paragraphs, tables, lists and
// indented blocks, and of code, bold and links in them. Tables become lists of their first column,
// since a terminal has no room for five.
type manPage struct {
	strings.Builder
	rows      []string // header of the table that is open
	paragraph []string
}

// manOf returns the manual page NAME(5) of a page of docs.
func manOf(name, summary, date, text string) string {
	p := new(manPage)
	fmt.Fprintf(p, ".TH %s 5 %s fieldgate fieldgate\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", strings.ToUpper(name), date, name, summary)
	for line := range strings.Lines(text) {
		p.line(strings.TrimRight(line, "\n"))
	}
	p.flush()
	p.WriteString(".SH SEE ALSO\n\\fBfieldgate\\fP(1), \\fBfieldgate-check\\fP(1), \\fBfieldgate-init\\fP(1)\n")
	page := regexp.MustCompile(`\.EE\n\.PP\n\.EX\n`).ReplaceAllString(p.String(), "") // lines of one block
	return regexp.MustCompile(`(?m)^(\.S[HS] .*\n)\.PP\n`).ReplaceAllString(page, "$1")
}

func (p *manPage) line(line string) {
	code, indented := strings.CutPrefix(line, "    ")
	switch {
	case indented:
		p.flush()
		fmt.Fprintf(p, ".PP\n.EX\n%s\n.EE\n", literal(code))
	case strings.HasPrefix(line, "# "), strings.HasPrefix(line, "<!--"): // the title is NAME
	case strings.HasPrefix(line, "### "):
		p.flush()
		fmt.Fprintf(p, ".SS %s\n", roff(line[4:]))
	case strings.HasPrefix(line, "## "):
		p.flush()
		fmt.Fprintf(p, ".SH %s\n", roff(line[3:]))
	case strings.HasPrefix(line, "| "):
		p.row(strings.Split(strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "¦"), "|"))
	case strings.HasPrefix(line, "- "):
		p.flush()
		fmt.Fprintf(p, ".IP \\(bu 2\n")
		p.paragraph = []string{line[2:]}
	case line == "":
		p.flush()
	case len(p.paragraph) == 0:
		p.WriteString(".PP\n")
		fallthrough
	default:
		p.paragraph = append(p.paragraph, strings.TrimSpace(line))
	}
}

// row begins a table, or writes a row: the first column is what the others are about.
func (p *manPage) row(cells []string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "¦", "|")
	}
	switch {
	case p.rows == nil:
		p.rows = cells
		return
	case strings.HasPrefix(cells[0], "---"):
		return
	}
	var about []string
	for i, cell := range cells[1 : len(cells)-1] {
		if cell == "" {
			continue
		}
		if head := p.rows[i+1]; head == "default" || head == "range" {
			cell = head + ": " + cell
		}
		about = append(about, cell)
	}
	fmt.Fprintf(p, ".TP\n\\fB%s\\fP\n", roff(cells[0]))
	if len(about) > 0 {
		fmt.Fprintf(p, "%s\n", roff(strings.Join(about, "; ")))
	}
	if text := cells[len(cells)-1]; text != "" {
		if len(about) > 0 {
			p.WriteString(".br\n")
		}
		fmt.Fprintf(p, "%s\n", roff(text))
	} else if len(about) == 0 {
		p.WriteString("\\&\n")
	}
}

// flush ends what is open: a paragraph or a table.
func (p *manPage) flush() {
	if len(p.paragraph) > 0 {
		fmt.Fprintf(p, "%s\n", roff(strings.Join(p.paragraph, " ")))
	}
	p.paragraph, p.rows = nil, nil
}

var (
	manLink  = regexp.MustCompile(`!?\[((?:[^][]|\[[^]]*\])*)\]\([^)]*\)`)
	manCode  = regexp.MustCompile("`([^`]+)`")
	manBold  = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	manBreak = regexp.MustCompile(`([^\s][.?!:]) +`)
)

// roff is a line of text with its code in bold and its links as their words. A sentence begins a
// line, so that lines are short.
func roff(text string) string {
	text = manLink.ReplaceAllString(strings.ReplaceAll(text, "&nbsp;", " "), "$1")
	text = strings.NewReplacer(`\<`, "<", `\>`, ">").Replace(text)
	text = literal(manBreak.ReplaceAllString(text, "$1\n"))
	text = manCode.ReplaceAllString(text, "\x01$1\x02")
	text = manBold.ReplaceAllString(text, "\x01$1\x02")
	return strings.NewReplacer("\x01", `\fB`, "\x02", `\fP`).Replace(text)
}

// literal keeps roff from understanding what is not meant for it.
func literal(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `...`, "~", `\(ti`, "^", `\(ha`, "─", `\-`, "┬", "+", "┴", "+", "┘", "+", "└", "+", "│", "|", "├", "+", "┤", "+").Replace(text), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			b.WriteString(`\&`)
		}
		b.WriteString(line)
	}
	return b.String()
}

// writeConfigurationManual makes fieldgate.toml(5) of docs/configuration.md.
func writeConfigurationManual(t *testing.T, dir, date string) {
	page := manOf("fieldgate.toml", "configuration of the edge gateway fieldgate", date, readPage(t, "docs/configuration.md"))
	if err := os.WriteFile(filepath.Join(dir, "fieldgate.toml.5"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPagesOfTheManual: fieldgate.toml(5) has each key of docs/configuration.md, and the programs
// that show manuals find nothing wrong with it.
func TestPagesOfTheManual(t *testing.T) {
	dir := t.TempDir()
	writeConfigurationManual(t, dir, "2026-11-29")
	file := filepath.Join(dir, "fieldgate.toml.5")
	for name, args := range map[string][]string{
		"man":    {"--warnings", "-E", "UTF-8", "-l", file},
		"mandoc": {"-Tlint", "-Wwarning", file},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed", name)
			}
			c := exec.Command(name, args...)
			c.Env = append(os.Environ(), "MANWIDTH=100", "MANPAGER=cat", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8")
			var complaints strings.Builder
			c.Stderr = &complaints
			out, err := c.Output()
			if name == "mandoc" {
				complaints.Write(out)
			}
			if err != nil || complaints.Len() > 0 {
				t.Fatalf("%v: %s", err, complaints.String())
			}
			if name == "mandoc" {
				return
			}
			text := strings.ReplaceAll(string(out), "‐", "-")
			for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(readPage(t, "docs/configuration.md"), -1) {
				if !regexp.MustCompile(`(?m)^ +` + m[1] + `\b`).MatchString(text) {
					t.Errorf("the page does not have %s", m[1])
				}
			}
			if stray := regexp.MustCompile("`|\\]\\(|\\*\\*").FindString(text); stray != "" {
				t.Errorf("%q is Markdown", stray)
			}
		})
	}
}
