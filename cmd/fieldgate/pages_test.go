package main

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var pagesDir = flag.String("pages", "", "write the man pages and the completions of the packages into this `directory`")

// TestPages makes a man page of every command and of the configuration, and completions for three
// shells. It is a test so
// that what makes them is no part of the program. SOURCE_DATE_EPOCH is the date of the pages.
func TestPages(t *testing.T) {
	dir := *pagesDir
	if dir == "" {
		dir = t.TempDir()
	}
	t.Setenv("STATE_DIRECTORY", "/var/lib/fieldgate") // what the pages name is the service's
	t.Setenv("RUNTIME_DIRECTORY", "/run/fieldgate")
	root := newRoot()
	man := filepath.Join(dir, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		t.Fatal(err)
	}
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "fieldgate", Manual: "fieldgate"}, man); err != nil {
		t.Fatal(err)
	}
	writeConfigurationManual(t, man, dateOfPages())
	for shell, write := range map[string]func(file string) error{
		"bash": func(file string) error { return root.GenBashCompletionFileV2(file, true) },
		"zsh":  root.GenZshCompletionFile,
		"fish": func(file string) error { return root.GenFishCompletionFile(file, true) },
	} {
		if err := write(filepath.Join(dir, "completion."+shell)); err != nil {
			t.Error(err)
		}
	}

	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		page := strings.ReplaceAll(c.CommandPath(), " ", "-")
		if text, err := os.ReadFile(filepath.Join(man, page+".1")); err != nil || !strings.Contains(string(text), ".SH SYNOPSIS") {
			t.Errorf("%s: no man page with a synopsis: %v", page, err)
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(root)
}

// dateOfPages is that of SOURCE_DATE_EPOCH, or today.
func dateOfPages() string {
	at := time.Now()
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		at = time.Unix(s, 0)
	}
	return at.UTC().Format(time.DateOnly)
}
