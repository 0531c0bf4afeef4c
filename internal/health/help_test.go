package health

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Every family of metrics has its HELP and TYPE once, before its first line.
func TestMetricsHaveHelp(t *testing.T) {
	h := contract.Health{Sensors: map[string]contract.SensorHealth{"a": {State: "ok"}, "b": {}}, Flash: contract.FlashHealth{Device: &contract.FlashDevice{Name: "d"}}}
	var page, out bytes.Buffer
	metricsOf(h, func(f func(sensor, field, unit string, value float64)) { f("a", "t", "", 1) }).WritePrometheus(&page)
	writeHelp(&out, page.Bytes())
	seen := map[string]bool{}
	helped := ""
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			helped, _, _ = strings.Cut(rest, " ")
			if seen[helped] {
				t.Errorf("%s has two", helped)
			}
			seen[helped] = true
			continue
		}
		if strings.HasPrefix(line, "# TYPE ") {
			continue
		}
		if family := line[:strings.IndexAny(line, "{ ")]; family != helped {
			t.Errorf("no HELP before %s", line)
		}
	}
	for family := range help {
		if !seen[family] {
			t.Errorf("%s has a text and is on no page", family)
		}
	}
}
