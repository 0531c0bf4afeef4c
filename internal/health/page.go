package health

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// A page is metrics, and what each family of them is.
type page struct {
	set  *metrics.Set
	help map[string]string // by family
}

func (p page) gauge(name, help string, v float64) {
	p.help[family(name)] = help
	p.set.GetOrCreateGauge(name, nil).Set(v)
}

// counter is for a family whose name ends with _total.
func (p page) counter(name, help string, v uint64) {
	p.help[family(name)] = help
	p.set.GetOrCreateCounter(name).Set(v)
}

// family is the name of a metric, or of that in a line of the page, without labels and value.
func family(name string) string {
	if i := strings.IndexAny(name, "{ "); i >= 0 {
		return name[:i]
	}
	return name
}

// write writes the metrics, sorted by name, with HELP and TYPE before each family.
func (p page) write(out io.Writer) {
	var text bytes.Buffer
	p.set.WritePrometheus(&text)
	last := ""
	for line := range bytes.Lines(text.Bytes()) {
		if f := family(string(line)); f != last {
			kind := "gauge"
			if strings.HasSuffix(f, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", f, p.help[f], kind)
			last = f
		}
		_, _ = out.Write(line)
	}
}
