package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

var (
	tomlTable = regexp.MustCompile(`(?m)^\[+[a-z][a-z_.<>-]*\]`)
	tomlKey   = regexp.MustCompile(`(?m)^[a-z_.]+ = `)
	inSensor  = regexp.MustCompile(`^\[+sensor\.`)
)

// notConfigurations are blocks that look like configurations and are those of other programs.
var notConfigurations = regexp.MustCompile(`^\[(agent|outputs|inputs)`)

// TestHandbookSnippets: each block of a page that is a configuration is accepted by check as it
// stands. A part of one is accepted below a broker, or below the block before it; a part of a
// sensor, below a sensor. TestExamples has the pages of drivers.
func TestHandbookSnippets(t *testing.T) {
	total := 0
	for _, page := range pagesOfDocs(t) {
		if page == "docs/drivers.md" || page == "docs/modbus-profiles.md" || page == "CHANGELOG.md" {
			continue
		}
		found := 0
		var before config.Source
		for _, b := range blocksOf(t, page) {
			text := strings.TrimSpace(b.text)
			if !tomlTable.MatchString(text) || !tomlKey.MatchString(text) || strings.Contains("\n"+text, "\n$ ") || notConfigurations.MatchString(text) {
				continue
			}
			found++
			if inSensor.MatchString(text) {
				text = "[[sensor]]\nname = \"a\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\nevery = \"10s\"\n" + text
			}
			here := config.Source{Name: fmt.Sprintf("%s:%d", b.page, b.line), Text: text}
			below := []config.Source{{Name: "broker", Text: "[mqtt]\nurls = [\"mqtts://localhost\"]\n"}}
			if strings.Contains(text, "urls = ") {
				below = nil
			}
			_, err := config.Parse(append(below, here), catalogue())
			if err != nil && below != nil {
				if _, again := config.Parse([]config.Source{before, here}, catalogue()); again == nil {
					err = nil
				}
			}
			before = here
			if err != nil {
				t.Errorf("%s:%d: %v", b.page, b.line, err)
			}
		}
		if found > 0 {
			t.Logf("%s: %d", page, found)
		}
		total += found
	}
	if total < 25 {
		t.Errorf("only %d snippets were found", total)
	}
}
