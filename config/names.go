package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names says what fields and labels cannot be called with a format that puts both beside names of
// its own. Formats that need no such rule have none.
type Names struct {
	Own      []string
	Suffixes []string // behind a field's name in a bucket, see Buffer.WhenFull
}

// checkNames looks at what sensors send for names that the format cannot tell apart. names are
// those of the format, nil if it has none.
func (b *binder) checkNames(c *Config, names *Names) {
	if names == nil {
		return
	}
	all := map[string]string{}
	for i := range c.Sensors {
		s, path := &c.Sensors[i], fmt.Sprintf("sensor.%d", i)
		sent := s.sent()
		maps.Copy(all, sent)
		for _, name := range sortedMapKeys(sent) {
			at := b.at(path)
			if sent[name] != "" {
				at = b.at(path + ".field." + sent[name])
			}
			if slices.Contains(names.Own, name) {
				b.report(at, "%s: its field %q collides with the %q of format %q: rename the field ([sensor.field.%s] rename)", path, name, name, c.Telemetry.Format, sent[name])
			}
			for _, suffix := range names.Suffixes {
				if of, is := strings.CutSuffix(name, suffix); is {
					if _, both := sent[of]; both {
						b.report(at, "%s: its field %q collides with what format %q makes of field %q when readings are thinned: rename either ([sensor.field.%s] rename)", path, name, c.Telemetry.Format, of, sent[name])
					}
				}
			}
		}
		b.checkLabelNames(c, names, path+".labels", s.Labels, sent)
	}
	b.checkLabelNames(c, names, "gateway.labels", c.Gateway.Labels, all)
}

// checkLabelNames does the same for labels beside the fields of sensors.
func (b *binder) checkLabelNames(c *Config, names *Names, path string, labels map[string]string, sent map[string]string) {
	if !c.Telemetry.Labels {
		return
	}
	for _, name := range sortedMapKeys(labels) {
		at := path + "." + name
		_, field := sent[name]
		switch {
		case slices.Contains(names.Own, name):
			b.report(b.at(at), "%s: the label %q collides with the %q of format %q: give the label another name", path, name, name, c.Telemetry.Format)
		case field:
			b.report(b.at(at), "%s: the label %q collides with the field %q, beside which format %q puts it: give the label another name", path, name, name, c.Telemetry.Format)
		case strings.HasSuffix(labels[name], `\`):
			b.report(b.at(at), `%s: the text must not end with \, which format %q cannot carry there`, at, c.Telemetry.Format)
		}
	}
}

// sent returns the names of the fields that the sensor sends, each with the name of its table of
// filters.
func (s *Sensor) sent() map[string]string {
	names := map[string]string{}
	for _, f := range s.fields {
		names[f.Name] = f.Name
	}
	for table, filter := range s.Fields {
		if filter.Rename != "" {
			names[filter.Rename] = table
		}
	}
	for _, computed := range s.Computed {
		if !s.Fields[computed.Field].Drop {
			names[computed.Field] = computed.Field
		}
	}
	return names
}
