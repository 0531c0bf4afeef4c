package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// licenseFiles are the names that modules give them; those that follow REUSE have a folder.
var licenseFiles = []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "LICENSES/*"}

// notices writes the licenses of all modules in the binary, which many of them ask for. A module
// without one is an error.
func (b *binary) notices(out io.Writer) error {
	fmt.Fprintf(out, "fieldgate %s contains SQLite %s, which is in the public domain, parts of the GNU C library (LGPL-2.1-or-later),\n"+
		"and the Go modules below.\n", b.version, b.sqlite)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("looking for the license of Go: %w", err)
	}
	if err := notice(out, "Go "+strings.TrimPrefix(b.info.GoVersion, "go"), strings.TrimSpace(string(root))); err != nil {
		return err
	}
	for _, m := range b.info.Deps {
		if err := notice(out, m.Path+" "+m.Version, b.dirs[m.Path]); err != nil {
			return err
		}
	}
	return nil
}

func notice(out io.Writer, name, dir string) error {
	var files []string
	for _, pattern := range licenseFiles {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range found {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				files = append(files, file)
			}
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no license in %s", name, dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading the license of %s: %w", name, err)
		}
		fmt.Fprintf(out, "\n%s\n%s: %s\n\n%s", strings.Repeat("-", 72), name, filepath.Base(file), text)
	}
	return nil
}
