package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// TestRangesAreChecked: if docs/configuration.md says that a key has values from one to another,
// both are accepted, and what is beyond them is a mistake.
func TestRangesAreChecked(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("^\\| `(\\w+)` \\| (duration|number) \\| [^|]* \\| ([\\wµ]+)(?: \\(default\\))? to (\\w+)( years?)? \\|")
	table, ranges := "", 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "### ") {
			break // of a field: what is good depends on what it is
		}
		if title, ok := strings.CutPrefix(line, "## "); ok {
			table = strings.TrimSpace(title)
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		ranges++
		key, low, high := m[1], m[3], m[4]
		var below, above string
		if m[2] == "number" {
			below, above = beyondNumbers(t, low, high)
		} else {
			if m[5] != "" {
				years, _ := strconv.Atoi(high)
				high = fmt.Sprintf("%dh", years*365*24)
			}
			below, above = beyondDurations(t, low, high)
			low, high = strconv.Quote(low), strconv.Quote(high)
		}
		for value, good := range map[string]bool{below: false, low: true, high: true, above: false} {
			err := loadWith(t, table, key, value)
			if refused := err != nil && strings.Contains(err.Error(), key); refused == good {
				t.Errorf("%s %s = %s: accepted: %v, want %v: %v", table, key, value, !refused, good, err)
			}
		}
	}
	if ranges < 10 {
		t.Errorf("only %d ranges were found", ranges)
	}
}

func beyondNumbers(t *testing.T, low, high string) (below, above string) {
	t.Helper()
	from, err := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err != nil || err2 != nil {
		t.Fatalf("%s to %s: %v, %v", low, high, err, err2)
	}
	return strconv.Itoa(from - 1), strconv.Itoa(to + 1)
}

func beyondDurations(t *testing.T, low, high string) (below, above string) {
	t.Helper()
	from, err := time.ParseDuration(low)
	to, err2 := time.ParseDuration(high)
	if err != nil || err2 != nil {
		t.Fatalf("%s to %s: %v, %v", low, high, err, err2)
	}
	return strconv.Quote((from - 1).String()), strconv.Quote((to + 1).String())
}

// loadWith loads the smallest configuration with a key of a table.
func loadWith(t *testing.T, table, key, value string) error {
	t.Helper()
	const sensor = "[[sensor]]\nname = \"s\"\ndriver = \"sim\"\n"
	setting := key + " = " + value + "\n"
	text := "[mqtt]\nurls = [\"mqtt://127.0.0.1:1883\"]\n"
	switch {
	case table == "[mqtt]":
		text += setting
	case table == "[[sensor]]" && key == "every":
		text += sensor + setting
	case table == "[[sensor]]":
		text += sensor + "every = \"1s\"\n" + setting
	default:
		text += table + "\n" + setting
	}
	file := filepath.Join(t.TempDir(), "fieldgate.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(file, catalogue())
	return err
}
