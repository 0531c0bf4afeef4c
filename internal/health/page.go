package health

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A page is metrics in Prometheus' text format, in families: the metrics of one name.
type page struct {
	families map[string]*family
}

// A family is the metrics of a name; kind is "gauge" or "counter".
type family struct {
	help, kind string
	lines      []string
}

func newPage() page { return page{map[string]*family{}} }

// A label is a pair of name and value, by which the metrics of a family differ.
type label struct{ name, value string }

func (p page) gauge(name, help string, v float64, labels ...label) {
	p.add(name, help, "gauge", strconv.FormatFloat(v, 'g', -1, 64), labels)
}

// counter is for a name that ends with _total.
func (p page) counter(name, help string, v uint64, labels ...label) {
	p.add(name, help, "counter", strconv.FormatUint(v, 10), labels)
}

// seconds is a counter of them.
func (p page) seconds(name, help string, v float64) {
	p.add(name, help, "counter", strconv.FormatFloat(v, 'g', -1, 64), nil)
}

func (p page) add(name, help, kind, value string, labels []label) {
	f := p.families[name]
	if f == nil {
		f = &family{help: help, kind: kind}
		p.families[name] = f
	}
	var b strings.Builder
	b.WriteString(name)
	for i, l := range labels {
		b.WriteString([]string{"{", ","}[min(i, 1)] + l.name + `="` + escaped.Replace(l.value) + `"`)
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	f.lines = append(f.lines, b.String()+" "+value+"\n")
}

// escaped is what the format wants of a label's value: nothing else may have a backslash.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// write writes the metrics, sorted by name, with HELP and TYPE before each family.
func (p page) write(out io.Writer) error {
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(p.families)) {
		f := p.families[name]
		text.WriteString("# HELP " + name + " " + f.help + "\n# TYPE " + name + " " + f.kind + "\n")
		slices.Sort(f.lines)
		for _, line := range f.lines {
			text.WriteString(line)
		}
	}
	_, err := out.Write(text.Bytes())
	return err
}
