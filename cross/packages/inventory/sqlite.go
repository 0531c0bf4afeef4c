package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

var (
	sqliteVersion = regexp.MustCompile(`(?m)^#define SQLITE_VERSION\s+"(.+)"`)
	sqliteSource  = regexp.MustCompile(`(?m)^#define SQLITE_SOURCE_ID\s+"(.+)"`)
)

// sqliteIn returns the version of SQLite in a binary, of which go-sqlite3 brings the source: the id
// of that source must be in the binary.
func sqliteIn(binary []byte, dir string) (string, error) {
	header, err := os.ReadFile(filepath.Join(dir, "sqlite3-binding.h"))
	if err != nil {
		return "", fmt.Errorf("go-sqlite3: %w", err)
	}
	version, source := sqliteVersion.FindSubmatch(header), sqliteSource.FindSubmatch(header)
	if version == nil || source == nil {
		return "", errors.New("sqlite3-binding.h of go-sqlite3 names no version")
	}
	if !bytes.Contains(binary, source[1]) {
		return "", fmt.Errorf("it is not the one that go-sqlite3 brings (%s)", source[1])
	}
	return string(version[1]), nil
}
