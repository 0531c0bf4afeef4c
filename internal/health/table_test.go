package health

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

// TestMetricsTable: docs/metrics.md has the HELP and TYPE of each metric, and its labels. With
// -update it is written.
func TestMetricsTable(t *testing.T) {
	days := 3.5
	h := contract.Health{CertDays: &days, Sensors: map[string]contract.SensorHealth{"a": {State: "ok"}}, Flash: contract.FlashHealth{Device: &contract.FlashDevice{Name: "d"}}}
	p := metricsOf(h, func(f func(sensor, field, unit string, value float64)) { f("a", "t", "", 1) })
	addProcess(p)
	var page bytes.Buffer
	if err := p.write(&page); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Metrics\n\n`[metrics] listen = \"127.0.0.1:9142\"` serves these at `/metrics` in Prometheus' text format ([operations](operations.md#inspect), " +
		"[Grafana and Prometheus](consumers/grafana.md)).\nMade by `make docs` from the program's own HELP and TYPE.\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	var help, kind string
	done := ""
	for line := range strings.Lines(page.String()) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			help = strings.Join(words[3:], " ")
		case strings.HasPrefix(line, "# TYPE "):
			kind = words[3]
		default:
			name, rest, _ := strings.Cut(words[0], "{")
			if name == done {
				continue
			}
			done = name
			var labels []string
			for label := range strings.SplitSeq(strings.TrimSuffix(rest, "}"), ",") {
				if l, _, ok := strings.Cut(label, "="); ok {
					labels = append(labels, "`"+l+"`")
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, ", "), help)
		}
	}
	const file = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(file); err != nil || string(was) != b.String() {
		t.Errorf("docs/metrics.md is out of date: make docs (%v)", err)
	}
}
