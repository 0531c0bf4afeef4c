// Inventory says what is inside of a binary of fieldgate: a bill of materials (CycloneDX 1.6, JSON)
// or the licenses of the modules. It reads what the Go linker wrote into the binary, so that it
// names what is there and not what a go.mod could bring; for SQLite and the C library, which are
// linked in as well, it looks for the texts that they carry.
//
//	inventory sbom|notices BINARY VERSION >FILE
package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"regexp"
)

// A binary is what was found in one.
type binary struct {
	version string
	info    *buildinfo.BuildInfo
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

// sqliteBanner is the version that SQLite carries, and the id of its source after it.
var sqliteBanner = regexp.MustCompile(`(3\.\d{2}\.\d{1,2})\x00{1,16}20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [0-9a-f]{64}`)

func open(file, version string) (*binary, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", file, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	found := sqliteBanner.FindSubmatch(text)
	if found == nil {
		return nil, fmt.Errorf("%s has no version of SQLite in it: is it fieldgate?", file)
	}
	return &binary{version: version, info: info, sha256: hash(text), sqlite: string(found[1])}, nil
}
