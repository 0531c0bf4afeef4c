// Inventory says what is inside of a binary of fieldgate: a bill of materials (CycloneDX 1.6, JSON)
// or the licenses of the modules. It reads what the Go linker wrote into the binary, so that it
// names what is there and not what a go.mod could bring.
//
//	inventory sbom|notices BINARY VERSION >FILE
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
)

// A binary is what was found in one.
type binary struct {
	version string
	info    *debug.BuildInfo
	dirs    map[string]string // of the sources of its modules, by path
	sha256  string
	sqlite  string // its version
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "inventory:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("want sbom or notices, a binary and its version, got %q", args)
	}
	b, err := open(args[1], args[2])
	if err != nil {
		return err
	}
	switch args[0] {
	case "sbom":
		return b.sbom(out)
	case "notices":
		return b.notices(out)
	}
	return fmt.Errorf("want sbom or notices, not %q", args[0])
}

func open(file, version string) (*binary, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", file, err)
	}
	for i, d := range info.Deps {
		if d.Replace != nil {
			info.Deps[i] = d.Replace
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	dirs, err := sources(info.Deps)
	if err != nil {
		return nil, err
	}
	sqlite, err := sqliteIn(text, dirs["github.com/mattn/go-sqlite3"])
	if err != nil {
		return nil, fmt.Errorf("looking for SQLite in %s: %w", file, err)
	}
	return &binary{version: version, info: info, dirs: dirs, sha256: hash(text), sqlite: sqlite}, nil
}

// sources returns where the source of each module is, by its path.
func sources(modules []*debug.Module) (map[string]string, error) {
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		args = append(args, m.Path+"@"+m.Version)
	}
	text, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("looking for the source of the modules: go mod download: %w", err)
	}
	dirs := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var m struct{ Path, Dir string }
		if err := d.Decode(&m); err != nil {
			return nil, fmt.Errorf("looking for the source of the modules: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
	return dirs, nil
}
