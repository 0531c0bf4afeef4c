package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/platform/platforms"
)

// TestCloudsPageCanBeCopied: each block of the page that is a configuration is accepted as it
// stands, and the table of platforms says what the presets set.
func TestCloudsPageCanBeCopied(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "clouds.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, b := range regexp.MustCompile(`(?m)(?:^    .*\n|^\n)+`).FindAllString(string(text), -1) {
		if !strings.Contains(b, "urls = ") {
			continue
		}
		blocks++
		if _, err := config.Parse([]config.Source{{Name: "f.toml", Text: b}}, catalogue()); err != nil {
			t.Errorf("%s\n%v", b, err)
		}
	}
	if blocks != 7 {
		t.Errorf("%d blocks", blocks)
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
