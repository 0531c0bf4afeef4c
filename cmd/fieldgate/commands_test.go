package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHandbookCommandLine: docs/commands.md is what the program's own help says. With -update it is
// written.
func TestHandbookCommandLine(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/fieldgate") // what the page names is the service's
	t.Setenv("RUNTIME_DIRECTORY", "/run/fieldgate")
	var b strings.Builder
	b.WriteString("# Command line\n\nMade by `make docs` from what `fieldgate COMMAND --help` prints. The manual has the same: `man fieldgate-run` and so on.\n" +
		"[Operations](operations.md#inspect) says what to use when, and what `--json` prints.\n\n| command | |\n| --- | --- |\n")
	root := newRoot()
	var walk func(c *cobra.Command, visit func(c *cobra.Command))
	walk = func(c *cobra.Command, visit func(c *cobra.Command)) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub)
				walk(sub, visit)
			}
		}
	}
	walk(root, func(c *cobra.Command) {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	})
	b.WriteString("\nEvery command has these:\n\n" + flagTable(root.PersistentFlags()))
	walk(root, func(c *cobra.Command) {
		fmt.Fprintf(&b, "\n## %s\n\n", c.CommandPath())
		if c.Runnable() {
			fmt.Fprintf(&b, "    %s\n\n", c.UseLine())
		}
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		b.WriteString(asMarkdown.Replace(strings.TrimSpace(text)) + "\n")
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n    %s\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n  ", "\n    "))
		}
		if c.HasAvailableLocalFlags() {
			b.WriteString("\n" + flagTable(c.LocalFlags()))
		}
	})
	file := filepath.Join(docs, "commands.md")
	if *updateWords {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if readPage(t, "docs/commands.md") != b.String() {
		t.Error("docs/commands.md is out of date: make docs")
	}
}

// asMarkdown makes text of a help into Markdown: commands in it stand two spaces in.
var asMarkdown = strings.NewReplacer("\n  ", "\n    ", "<", "\\<", "*", "\\*")

// flagTable is a table of the flags that a command does not share with its parents.
func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | default | meaning |\n| --- | --- | --- |\n")
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "`--" + strings.TrimSpace(f.Name+" "+kind) + "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		value := f.DefValue
		if value == "false" || value == "[]" {
			value = ""
		}
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, strings.ReplaceAll(asMarkdown.Replace(usage), "|", "\\|"))
	})
	return b.String()
}
