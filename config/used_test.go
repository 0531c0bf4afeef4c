package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fieldgate/fieldgate/"

// A source type-checks the packages of the module that config's types pass through. All other
// packages are empty to it, and what it cannot know without them is left out.
type source struct {
	packages map[string]*types.Package
	fset     *token.FileSet
	info     *types.Info
	config   []*ast.File // the files of package config
}

func newSource() *source {
	return &source{packages: map[string]*types.Package{}, fset: token.NewFileSet(),
		info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
}

// Import implements types.Importer.
func (s *source) Import(path string) (*types.Package, error) {
	if p := s.packages[path]; p != nil {
		return p, nil
	}
	below, ours := strings.CutPrefix(path, module)
	if !ours {
		p := types.NewPackage(path, filepath.Base(path))
		p.MarkComplete()
		s.packages[path] = p
		return p, nil
	}
	names, err := filepath.Glob(filepath.Join("..", below, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if below == "config" {
		s.config = files
	}
	c := types.Config{Importer: s, Error: func(error) {}}
	p, _ := c.Check(path, s.fset, files, s.info)
	s.packages[path] = p
	return p, nil
}

// fieldsWithTag adds the fields of a struct that have a toml tag, and those of the structs within
// config that they lead to.
func fieldsWithTag(t types.Type, into map[types.Object]string) {
	switch t := t.(type) {
	case *types.Pointer:
		fieldsWithTag(t.Elem(), into)
	case *types.Slice:
		fieldsWithTag(t.Elem(), into)
	case *types.Map:
		fieldsWithTag(t.Elem(), into)
	case *types.Named:
		s, ok := t.Underlying().(*types.Struct)
		for i := 0; ok && i < s.NumFields(); i++ {
			if key := reflect.StructTag(s.Tag(i)).Get("toml"); key != "" && key != "-" {
				into[s.Field(i)] = t.Obj().Name() + "." + s.Field(i).Name() + " (" + key + ")"
				fieldsWithTag(s.Field(i).Type(), into)
			}
		}
	}
}

// TestEveryKeyIsUsed: each key of the configuration is read by the program: outside of config, or
// in a function of config that is called from outside. To set one counts as a use too, and whether
// anything comes of it is for the tests of whatever uses it.
func TestEveryKeyIsUsed(t *testing.T) {
	s := newSource()
	config, err := s.Import(module + "config")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[types.Object]string{}
	fieldsWithTag(config.Scope().Lookup("Config").Type(), unused)
	if len(unused) < 50 {
		t.Fatalf("only %d keys: %v", len(unused), unused)
	}
	for _, root := range []string{"../cmd", "../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			_, err = s.Import(module + filepath.ToSlash(strings.TrimPrefix(path, ".."+string(os.PathSeparator))))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	outside := map[types.Object]bool{} // what is used outside of config
	for id, o := range s.info.Uses {
		if !inConfig(s.fset, id) {
			outside[o] = true
		}
	}
	for _, f := range s.config {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && outside[s.info.Defs[fn.Name]] {
				ast.Inspect(fn, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						outside[s.info.Uses[id]] = true
					}
					return true
				})
			}
		}
	}
	// Keys that config itself puts into force: presets, templates, and the defaults of [[sensor]].
	own := []string{"Config.Cloud (cloud)", "Cloud.Platform (platform)", "MQTT.Line (line)", "Telemetry.Linger (linger)", "Telemetry.Last (last)", "Sensor.Template (template)", "Gateway.Labels (labels)"}
	for field, name := range unused {
		if !outside[field] && !slices.Contains(own, name) {
			t.Errorf("nothing uses %s", name)
		}
	}
}

func inConfig(fset *token.FileSet, n ast.Node) bool {
	return filepath.Dir(fset.Position(n.Pos()).Filename) == filepath.Join("..", "config")
}
