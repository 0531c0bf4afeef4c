// Inventory says what is inside of a binary of fieldgate: a bill of materials (CycloneDX 1.6, JSON)
// or the licenses of the modules. It reads what the Go linker wrote into the binary, so that it
// names what is there and not what a go.mod could bring.
//
//	inventory sbom|notices BINARY VERSION >FILE
package main

import (
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
	sqlite, err := sqliteIn(text, info)
	if err != nil {
		return nil, fmt.Errorf("looking for SQLite in %s: %w", file, err)
	}
	return &binary{version: version, info: info, sha256: hash(text), sqlite: sqlite}, nil
}

// moduleDir is where the source of a module is.
func moduleDir(m *debug.Module) (string, error) {
	text, err := exec.Command("go", "mod", "download", "-json", m.Path+"@"+m.Version).Output()
	if err != nil {
		return "", fmt.Errorf("looking for the source of %s: %w", m.Path, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(text, &found); err != nil {
		return "", fmt.Errorf("looking for the source of %s: %w", m.Path, err)
	}
	return found.Dir, nil
}
