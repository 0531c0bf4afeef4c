package all

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestSpecs(t *testing.T) {
	specs := Specs()
	if !slices.IsSortedFunc(specs, func(a, b drivers.Spec) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not in the order of names")
	}
	seen := map[string]bool{}
	for _, s := range specs {
		if seen[s.Name] {
			t.Errorf("two drivers are named %s", s.Name)
		}
		seen[s.Name] = true
		if s.Doc == "" || s.Options == nil || s.Fields == nil || s.Open == nil {
			t.Errorf("%s: the entry is not complete: %+v", s.Name, s)
		}
		if v := reflect.ValueOf(s.Options()); v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			t.Errorf("%s: Options returns a %s, want a pointer to a struct with the defaults", s.Name, v.Kind())
		}
		s.Fields(s.Options()) // the defaults alone must not make it panic
	}
}

// Every driver runs in the conformance suite.
func TestEveryDriverRunsTheSuite(t *testing.T) {
	for _, name := range folders() {
		files, err := filepath.Glob("../" + name + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "drivertest.Suite{")
		}
		if !found {
			t.Errorf("drivers/%s does not run drivertest.Suite", name)
		}
	}
}

// A program opens any driver without the table.
func TestEveryDriverExportsOpen(t *testing.T) {
	for _, name := range folders() {
		files, err := filepath.Glob("../" + name + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				found = found || ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Open")
			}
		}
		if !found {
			t.Errorf("drivers/%s exports no Open", name)
		}
	}
}

// A folder directly under drivers is a driver, or one that drivers/doc.go names.
func TestFolders(t *testing.T) {
	known := map[string]bool{"all": true, "bus": true, "drivertest": true, "kit": true, "record": true}
	for _, name := range folders() {
		known[name] = true
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !known[e.Name()] {
			t.Errorf("drivers/%s is not a driver of the table: what drivers share is below drivers/kit", e.Name())
		}
	}
}

// folders returns the folders of the drivers.
func folders() []string {
	var all []string
	for _, s := range Specs() {
		all = append(all, folder(s))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// folder returns the last element of the path of the package that a driver's options are in.
func folder(s drivers.Spec) string {
	path := reflect.TypeOf(s.Options()).Elem().PkgPath()
	return path[strings.LastIndex(path, "/")+1:]
}
