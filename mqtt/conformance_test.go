package mqtt

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateTable = flag.Bool("update", false, "write docs/mqtt-conformance.md")

const (
	tableFile     = "../docs/mqtt-conformance.md"
	tableCommand  = "go test ./mqtt -run TestConformanceTable -update"
	statementURL  = "https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html"
	tablePreamble = `# Conformance of package mqtt to MQTT 5.0

Made by ` + "`" + tableCommand + "`" + ` from the tests; a test fails when this page is not what they say, or when a statement has no test.
The [standard](` + statementURL + `) has 251 normative statements. These are the %d that bind a client: **C** a client
only (%d), **B** both ends (%d), **R** the server, where the client must notice or react (%d). The rules are in our own words. Tests are
named with their package; those against mosquitto are skipped where it is not installed.

| statement | binds | rule | proven by |
| --- | --- | --- | --- |
`
)

// TestConformanceTable checks that every statement has a test that claims it, that every claim is
// of a statement, and that the table in docs says so. A test claims statements with a comment of
// nothing but their identifiers, [MQTT-x.y.z-n]: a line in its doc comment, or a comment in its
// body; behind a row of its table that begins with a name it is that subtest which claims them.
func TestConformanceTable(t *testing.T) {
	claims := readClaims(t)
	var table bytes.Buffer
	count := make(map[string]int)
	for _, s := range statements {
		count[s.binds]++
	}
	fmt.Fprintf(&table, tablePreamble, len(statements), count["C"], count["B"], count["R"])
	for _, s := range statements {
		tests := claims[s.id]
		delete(claims, s.id)
		if len(tests) == 0 {
			t.Errorf("[MQTT-%s] has no test: %s", s.id, s.rule)
			continue
		}
		slices.Sort(tests)
		fmt.Fprintf(&table, "| MQTT-%s | %s | %s | %s |\n", s.id, s.binds, s.rule, strings.Join(slices.Compact(tests), ", "))
	}
	for id, tests := range claims {
		t.Errorf("[MQTT-%s], which %v claims, is no statement that binds a client", id, tests)
	}
	if *updateTable && !t.Failed() {
		if err := os.WriteFile(tableFile, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, table.Bytes()) {
		t.Errorf("%s is stale: %s", tableFile, tableCommand)
	}
}

// readClaims returns the names of the tests that claim a statement, by its identifier.
func readClaims(t *testing.T) map[string][]string {
	claims := make(map[string][]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bench" || d.Name() == "testdata"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			name := strings.TrimSuffix(file.Name.Name, "_test") + "." + f.Name.Name
			for line := range strings.Lines(f.Doc.Text()) {
				for _, id := range claimed(line) {
					claims[id] = append(claims[id], name)
				}
			}
			rows := rowNames(files, f)
			for _, group := range file.Comments {
				if group.Pos() < f.Body.Pos() || group.Pos() > f.Body.End() {
					continue
				}
				ids := claimed(group.Text())
				prover := name
				if row, ok := rows[files.Position(group.Pos()).Line]; ok {
					prover += "/" + row
				}
				for _, id := range ids {
					claims[id] = append(claims[id], prover)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

var (
	claimLine = regexp.MustCompile(`^(\[MQTT-\d[\d.]*-\d+\]\s*)+$`)
	claimID   = regexp.MustCompile(`\d[\d.]*-\d+`)
)

// claimed returns the statements that a comment of nothing but identifiers claims.
func claimed(comment string) []string {
	if !claimLine.MatchString(comment) {
		return nil
	}
	return claimID.FindAllString(comment, -1)
}

// rowNames returns the subtests of the rows of a test's table, by the line on which they end.
func rowNames(files *token.FileSet, f *ast.FuncDecl) map[int]string {
	names := make(map[int]string)
	ast.Inspect(f.Body, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || row.Type != nil || len(row.Elts) == 0 {
			return true
		}
		if lit, ok := row.Elts[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				names[files.Position(row.End()).Line] = strings.ReplaceAll(s, " ", "_")
			}
		}
		return true
	})
	return names
}
