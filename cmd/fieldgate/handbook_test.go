package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// repository is the folder above docs.
var repository = filepath.Join("..", "..")

// A block is an indented part of a page of docs.
type block struct {
	page   string
	line   int    // number of its first line
	before string // the paragraph before it
	text   string // without the indentation
}

// blocksOf returns the indented blocks of a page, in order. Inside a list there are none.
func blocksOf(t testing.TB, page string) (found []block) {
	t.Helper()
	var paragraph string
	open, list := false, false
	for i, line := range strings.Split(readPage(t, page), "\n") {
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented && !list && open:
			found[len(found)-1].text += code + "\n"
		case indented && !list:
			found = append(found, block{page, i + 1, paragraph, code + "\n"})
			open, paragraph = true, ""
		case line == "" && open:
			found[len(found)-1].text += "\n"
		case line != "":
			if i := strings.TrimLeft(line, "0123456789"); strings.HasPrefix(i, ". ") || strings.HasPrefix(line, "- ") {
				list = true
			} else if !strings.HasPrefix(line, " ") {
				list = false
			}
			open = false
			paragraph = strings.TrimSpace(line)
		}
	}
	return found
}

// readPage returns the text of a file of the repository.
func readPage(t testing.TB, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pagesOfDocs returns all Markdown files below docs, and those of the repository's top folder, by
// their path in the repository.
func pagesOfDocs(t testing.TB) (pages []string) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(repository, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pages {
		if pages[i], err = filepath.Rel(repository, p); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

var headingOfPage = regexp.MustCompile(`^#{1,6} (.*)`)

var linkOfPage = regexp.MustCompile(`(?:\]\(|src=")([^)\s"]+)[)"]`)

// withoutCode is a page without its code, in which nothing is a link.
func withoutCode(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "    ") {
			b.WriteString(line)
		}
	}
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllStringFunc(b.String(), func(code string) string { return strings.NewReplacer("](", "] (").Replace(code) })
}

// anchorsOf returns what a link to a page may name: its headings as GitHub names them, and ids.
func anchorsOf(text string) map[string]bool {
	anchors := map[string]bool{}
	for line := range strings.Lines(text) {
		heading := headingOfPage.FindStringSubmatch(line)
		if heading == nil {
			continue
		}
		var slug strings.Builder
		title := manLink.ReplaceAllString(heading[1], "$1")
		for _, r := range strings.ToLower(title) {
			switch {
			case r == ' ':
				slug.WriteByte('-')
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				slug.WriteRune(r)
			}
		}
		anchors[slug.String()] = true
	}
	for _, id := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		anchors[id[1]] = true
	}
	return anchors
}

// TestHandbookLinks: each relative link of the documentation leads to a file that is there, and to
// a heading or an id that it has.
func TestHandbookLinks(t *testing.T) {
	links := 0
	anchors := map[string]map[string]bool{} // by page
	for _, page := range append(pagesOfDocs(t), "cross/README.md") {
		for _, m := range linkOfPage.FindAllStringSubmatch(withoutCode(readPage(t, page)), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(repository, target)); err != nil {
				t.Errorf("%s: %s is not there", page, m[1])
				continue
			}
			if anchor != "" && anchors[target] == nil {
				anchors[target] = anchorsOf(readPage(t, target))
			}
			if anchor != "" && !anchors[target][anchor] {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// TestHandbookHasEveryPage: the table of contents has each page of docs once, and the order of the
// four kinds.
func TestHandbookHasEveryPage(t *testing.T) {
	contents := readPage(t, "docs/README.md")
	for _, page := range pagesOfDocs(t) {
		in, below := strings.CutPrefix(page, "docs/")
		if below && in != "README.md" && strings.Count(contents, "]("+in+")") != 1 {
			t.Errorf("docs/README.md names %s %d times", in, strings.Count(contents, "]("+in+")"))
		}
	}
	var kinds []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(contents, -1) {
		kinds = append(kinds, m[1])
	}
	if got := strings.Join(kinds, ", "); got != "Tutorial, How-to guides, Reference, Explanation" {
		t.Errorf("the parts are %s", got)
	}
}

var (
	namedTest   = regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z]\\w*)`")
	namedTarget = regexp.MustCompile("`make ([a-z][a-z-]*[a-z0-9]+)\\b")
)

// TestHandbookNamesRealTests: each test and each target of make that a page names exists.
func TestHandbookNamesRealTests(t *testing.T) {
	tests, targets := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "dist") {
				return fs.SkipDir
			}
			return err
		}
		named, defined := tests, regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
		switch {
		case d.Name() == "Makefile" || filepath.Ext(path) == ".mk":
			named, defined = targets, regexp.MustCompile(`(?m)^([a-z][a-z-]*)(?:[ a-z-]*):`)
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range defined.FindAllStringSubmatch(string(text), -1) {
			named[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"cross", "cross-amd64", "cross-arm64"} { // by $(…)
		targets[target] = true
	}
	found := 0
	for _, page := range pagesOfDocs(t) {
		text := readPage(t, page)
		for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
			if found++; !tests[m[1]] && page != "CHANGELOG.md" {
				t.Errorf("%s: there is no test %s", page, m[1])
			}
		}
		for _, m := range namedTarget.FindAllStringSubmatch(text, -1) {
			if !targets[m[1]] && page != "CHANGELOG.md" {
				t.Errorf("%s: there is no make %s", page, m[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d tests are named", found)
	}
	for _, page := range []string{"docs/security.md", "docs/explanation.md"} {
		for line := range strings.Lines(readPage(t, page)) {
			cells := strings.Split(line, "|") // and one more on either side
			if len(cells) != 5 || strings.Contains(line, "---") || strings.HasSuffix(line, "| test |\n") {
				continue
			}
			if held := strings.TrimSpace(cells[3]); !namedTest.MatchString(held) && !namedTarget.MatchString(held) && held != "none: nothing stands against it" {
				t.Errorf("%s: a row without a test: %s", page, line)
			}
		}
	}
}
