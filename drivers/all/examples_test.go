package all_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
)

// blocks returns the indented blocks of a page of docs, with the line where each begins.
func blocks(text string) map[int]string {
	found := map[int]string{}
	begin := 0 // of the block that is open
	for i, line := range strings.Split(text, "\n") {
		code, indented := strings.CutPrefix(line, "    ")
		if !indented {
			code, indented = strings.CutPrefix(line, "\t")
		}
		switch {
		case indented && begin == 0:
			begin = i + 1
			found[begin] = code + "\n"
		case indented:
			found[begin] += code + "\n"
		case line == "" && begin != 0:
			found[begin] += "\n"
		default:
			begin = 0
		}
	}
	return found
}

var tableHeader = regexp.MustCompile(`(?m)^\s*\[`)

// TestExamples: whoever copies an example of the pages about sensors below an [mqtt] table has a
// configuration that is accepted, with fields to read.
func TestExamples(t *testing.T) {
	for _, page := range []string{"drivers.md", "modbus-profiles.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for line, block := range blocks(string(text)) {
			if !tableHeader.MatchString(block) {
				continue
			}
			examples++
			c, err := config.Parse([]config.Source{{Name: page, Text: "[mqtt]\nurls = [\"mqtt://localhost\"]\n" + block}},
				config.Catalogue{Drivers: all.Specs(), Formats: config.Words{{Name: "json"}}})
			if err != nil {
				t.Errorf("docs/%s:%d: %v", page, line, err)
				continue
			}
			for _, s := range c.Sensors {
				if s.Enabled && len(s.Spec.Fields(s.Options)) == 0 {
					t.Errorf("docs/%s:%d: sensor %q reads nothing", page, line, s.Name)
				}
			}
			if len(c.Sensors) == 0 {
				t.Errorf("docs/%s:%d: no sensor in it", page, line)
			}
		}
		if examples == 0 {
			t.Errorf("docs/%s has no examples", page)
		}
	}
}

var driverLink = regexp.MustCompile(`\[([^]]*)\]\(drivers\.md#(\w+)\)`)

// TestSensorsPage: every driver is found by the page of devices, and what that names is a driver,
// with a link to its section.
func TestSensorsPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "sensors.md"))
	if err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile(filepath.Join("..", "..", "docs", "drivers.md"))
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, s := range all.Specs() {
		left[s.Name] = true
	}
	known := maps.Clone(left)
	for _, m := range driverLink.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(reference), `<a id="`+m[2]+`"></a>`) {
			t.Errorf("%s: drivers.md has no section %s", m[0], m[2])
		}
		for name := range strings.SplitSeq(m[1], ", ") {
			if name = strings.Trim(name, "`"); !known[name] {
				t.Errorf("%s: %s is not a driver", m[0], name)
			}
			delete(left, name)
		}
	}
	for name := range left {
		t.Errorf("no device leads to the driver %s", name)
	}
}

// TestServiceWithTwoReaders: sensors that have a connection each need not agree about baud rates.
func TestServiceWithTwoReaders(t *testing.T) {
	sensor := func(driver string) string {
		return "[[sensor]]\nname = \"my-" + driver + "\"\ndriver = \"" + driver + "\"\nbus = \"host:4001\"\nevery = \"10s\"\n"
	}
	_, err := config.Parse([]config.Source{{Name: "f", Text: "[mqtt]\nurls = [\"mqtt://localhost\"]\n" + sensor("p1") + sensor("sml")}},
		config.Catalogue{Drivers: all.Specs(), Formats: config.Words{{Name: "json"}}})
	if err != nil {
		t.Error(err)
	}
}
