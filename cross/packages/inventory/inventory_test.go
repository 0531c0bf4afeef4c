package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func example() *binary {
	return &binary{version: "1.2.3", sha256: hash([]byte("x")), sqlite: "3.53.4", info: &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Path: "github.com/fieldgate/fieldgate"},
		Deps:     []*debug.Module{{Path: "example.com/b", Version: "v2.0.0", Sum: "h1:b"}, {Path: "example.com/a", Version: "v1.0.0", Sum: "h1:a"}},
		Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "arm"}, {Key: "vcs.time", Value: "now"}},
	}}
}

// TestBillOfMaterials: it names everything that is inside once, and is the same every time.
func TestBillOfMaterials(t *testing.T) {
	var first, second bytes.Buffer
	if err := example().sbom(&first); err != nil {
		t.Fatal(err)
	}
	if err := example().sbom(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("a second bill differs: %v", err)
	}
	var d document
	if err := json.Unmarshal(first.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Format != "CycloneDX" || d.Metadata.Component.Version != "1.2.3" || strings.Contains(first.String(), "vcs.time") {
		t.Errorf("got %s", first.String())
	}
	refs := map[string]bool{}
	for _, c := range d.Components {
		refs[c.Ref] = true
	}
	for _, want := range []string{"pkg:golang/std@1.26.8", "pkg:generic/sqlite@3.53.4", "pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/b@v2.0.0"} {
		if !refs[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if len(refs) != 4 || len(d.Dependencies) != 1 || len(d.Dependencies[0].DependsOn) != 4 {
		t.Errorf("%d components, dependencies %+v", len(refs), d.Dependencies)
	}
}

// TestNotices: a module without a license is an error.
func TestNotices(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(a, "LICENSE.md"), []byte("of a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := example()
	x.dirs = map[string]string{"example.com/a": a, "example.com/b": b}
	if err := x.notices(new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "example.com/b v2.0.0 has no license") {
		t.Errorf("got %v", err)
	}
	if err := os.MkdirAll(filepath.Join(b, "LICENSES"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "LICENSES", "MIT.txt"), []byte("of b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.notices(&out); err != nil || !strings.Contains(out.String(), "of a\n") || !strings.Contains(out.String(), "of b\n") {
		t.Errorf("got %v, %s", err, out.String())
	}
}

// TestSQLite: the version comes from the source whose id is in the binary.
func TestSQLite(t *testing.T) {
	dir := t.TempDir()
	header := "#define SQLITE_VERSION        \"3.53.4\"\n#define SQLITE_VERSION_NUMBER 3053004\n#define SQLITE_SOURCE_ID      \"2026-07-24 bf7c\"\n"
	if err := os.WriteFile(filepath.Join(dir, "sqlite3-binding.h"), []byte(header), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := sqliteIn([]byte("\x00\x012026-07-24 bf7c\x00"), dir); err != nil || v != "3.53.4" {
		t.Errorf("got %q, %v", v, err)
	}
	if _, err := sqliteIn([]byte("something else"), dir); err == nil {
		t.Error("a binary without SQLite has a version")
	}
}
