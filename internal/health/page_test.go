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
	var out bytes.Buffer
	metricsOf(h, func(f func(sensor, field, unit string, value float64)) { f("a", "t", "", 1) }).write(&out)
	seen := map[string]bool{}
	helped := ""
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			var text string
			helped, text, _ = strings.Cut(strings.TrimSpace(rest), " ")
			if seen[helped] || text == "" {
				t.Errorf("%s has two, or an empty one", helped)
			}
			seen[helped] = true
			continue
		}
		if strings.HasPrefix(line, "# TYPE ") {
			continue
		}
		if family(line) != helped {
			t.Errorf("no HELP before %s", line)
		}
	}
}
