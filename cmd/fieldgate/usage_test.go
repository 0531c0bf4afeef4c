package main

import (
	"regexp"
	"strings"
	"testing"
)

var (
	commandInText = regexp.MustCompile("`(?:sudo )?(fieldgate [^`]+)`")
	shellWord     = regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`)
	endOfCommand  = regexp.MustCompile(`^(#.*|[|&;<]+|\d?>.*|…|\.\.\.)$`)
)

// mistyped says what is wrong with a command line of fieldgate: a command or a flag that it does
// not have, or too many arguments; "" if nothing is. What follows it in the shell does not matter.
func mistyped(line string) string {
	var args []string
	for _, word := range shellWord.FindAllString(line, -1)[1:] {
		if endOfCommand.MatchString(word) {
			break
		}
		args = append(args, strings.Trim(strings.TrimRight(word, ";,"), `"'`))
	}
	root := newRoot()
	root.InitDefaultHelpFlag()
	c, rest, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "needs an argument") { // text may name a flag alone
		return err.Error()
	}
	if left := c.Flags().Args(); len(left) > 0 && (c.HasAvailableSubCommands() || c == root) && !strings.HasPrefix(left[0], "<") {
		return "there is no " + c.CommandPath() + " " + left[0]
	}
	return ""
}

// TestHandbookCommandLines: each command line of fieldgate in the documentation, in text and in
// blocks, names commands and flags that there are.
func TestHandbookCommandLines(t *testing.T) {
	lines := 0
	check := func(page, line string) {
		t.Helper()
		if lines++; !strings.Contains(line, "COMMAND") {
			if wrong := mistyped(line); wrong != "" {
				t.Errorf("%s: %s: %s", page, line, wrong)
			}
		}
	}
	for _, page := range pagesOfDocs(t) {
		if page == "docs/commands.md" {
			continue // made from the commands
		}
		for _, m := range commandInText.FindAllStringSubmatch(withoutCode(readPage(t, page)), -1) {
			check(page, m[1])
		}
		for _, b := range blocksOf(t, page) {
			for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
				line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "sudo ")
				if strings.HasPrefix(line, "fieldgate ") && !strings.HasPrefix(line, "fieldgate …") {
					check(page, line)
				}
			}
		}
	}
	if lines < 100 {
		t.Errorf("only %d command lines were found", lines)
	}
	for _, wrong := range []string{"fieldgate stats", "fieldgate status --chek", "fieldgate queue list", "fieldgate check -x"} {
		if mistyped(wrong) == "" {
			t.Errorf("%s is taken for right", wrong)
		}
	}
}
