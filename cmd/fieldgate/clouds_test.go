package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/platform/platforms"
)

// TestCloudsPageHasThePresets: the table of platforms says what the presets set.
func TestCloudsPageHasThePresets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "clouds.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms.Limits() {
		for line := range strings.Lines(p.Preset) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
			row := regexp.MustCompile("(?m)^\\| `[a-z]+\\." + key + "` .*").FindString(string(text))
			if value = strings.Trim(value, `"`); ok && !strings.Contains(row, value) {
				t.Errorf("%s: the row of %s is %q, without %s", p.Name, key, row, value)
			}
		}
	}
}
