package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
)

var (
	sqliteVersion = regexp.MustCompile(`(?m)^#define SQLITE_VERSION\s+"(.+)"`)
	sqliteSource  = regexp.MustCompile(`(?m)^#define SQLITE_SOURCE_ID\s+"(.+)"`)
)

// sqliteIn returns the version of the SQLite that a module brings as source, having found the id of
// that source in the binary.
func sqliteIn(binary []byte, info *debug.BuildInfo) (string, error) {
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "github.com/mattn/go-sqlite3" })
	if i < 0 {
		return "", fmt.Errorf("go-sqlite3 is not among its modules: is it fieldgate?")
	}
	dir, err := moduleDir(info.Deps[i])
	if err != nil {
		return "", err
	}
	header, err := os.ReadFile(filepath.Join(dir, "sqlite3-binding.h"))
	if err != nil {
		return "", err
	}
	version, source := sqliteVersion.FindSubmatch(header), sqliteSource.FindSubmatch(header)
	if version == nil || source == nil {
		return "", fmt.Errorf("sqlite3-binding.h of %s names no version", info.Deps[i].Version)
	}
	if !bytes.Contains(binary, source[1]) {
		return "", fmt.Errorf("it is not the one of go-sqlite3 %s (%s)", info.Deps[i].Version, source[1])
	}
	return string(version[1]), nil
}
