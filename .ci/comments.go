//go:build ignore

// Comments fails on every comment line of the Go files in and below the working directory that is
// wider than 100 columns, a tab counting 4. It judges lines that hold nothing but a // comment, and
// of these not directives, lines with a URL, preformatted lines or generated files.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const (
	maxColumns = 100
	tabColumns = 4
)

func main() {
	found := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		n, err := check(path)
		found += n
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if found > 0 {
		fmt.Fprintf(os.Stderr, "%d comment lines are wider than %d columns\n", found, maxColumns)
		os.Exit(1)
	}
}

// check names the lines of a file that are too wide, and returns how many there are.
func check(path string) (int, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return 0, err
	}
	if ast.IsGenerated(file) {
		return 0, nil
	}
	lines, found := strings.Split(string(src), "\n"), 0
	for _, group := range file.Comments {
		for _, c := range group.List {
			at := set.Position(c.Pos()).Line
			line := strings.TrimRight(lines[at-1], "\r")
			if !strings.HasPrefix(strings.TrimSpace(line), "//") || exempt(c.Text) {
				continue
			}
			if w := columns(line); w > maxColumns {
				fmt.Fprintf(os.Stderr, "%s:%d: %d columns\n", path, at, w)
				found++
			}
		}
	}
	return found, nil
}

// exempt reports whether a comment may be as wide as it likes.
func exempt(text string) bool {
	body := strings.TrimPrefix(text, "//")
	return strings.HasPrefix(body, "go:") || strings.HasPrefix(body, "\t") || strings.Contains(body, "://")
}

func columns(line string) int {
	return utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
}
