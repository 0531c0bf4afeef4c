package health

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Every family of metrics has its HELP and TYPE once, before its first line.
func TestMetricsHaveHelp(t *testing.T) {
	days := 3.5
	h := contract.Health{CertDays: &days, Sensors: map[string]contract.SensorHealth{"a": {State: "ok"}, "b": {}}, Flash: contract.FlashHealth{Device: &contract.FlashDevice{Name: "d"}}}
	var out bytes.Buffer
	p := metricsOf(h, func(f func(sensor, field, unit string, value float64)) { f("a", "t", "", 1) })
	addProcess(p)
	if err := p.write(&out); err != nil {
		t.Fatal(err)
	}
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
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if name != helped || (kind == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("%s after the help of %s", line, helped)
			}
			continue
		}
		if name := line[:strings.IndexAny(line, "{ ")]; name != helped {
			t.Errorf("no HELP before %s", line)
		}
	}
	for _, name := range []string{"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "fieldgate_certificate_remaining_seconds"} {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestLabelsAreEscaped: what a device or a file calls itself is one label, whatever it is.
func TestLabelsAreEscaped(t *testing.T) {
	p := newPage()
	p.gauge("a", "b", -2.5, label{"x", "C:\\ \"quoted\"\n°C\t"}, label{"y", ""})
	var out strings.Builder
	if err := p.write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "# HELP a b\n# TYPE a gauge\na{x=\"C:\\\\ \\\"quoted\\\"\\n°C\t\",y=\"\"} -2.5\n"; out.String() != want {
		t.Errorf("want %q\n got %q", want, out.String())
	}
}

// TestStartTime: this process began before now, and within the hour.
func TestStartTime(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc: ", err)
	}
	if got, now := startTime(), float64(time.Now().Unix()); got > now+2 || got < now-3600 {
		t.Errorf("started at %v, now is %v", got, now)
	}
}
