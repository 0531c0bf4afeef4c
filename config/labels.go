package config

import (
	"maps"
	"strings"
	"unicode"

	"github.com/fieldgate/fieldgate/drivers"
)

// Bounds of labels, which are in every message.
const (
	maxLabels = 16
	maxLabel  = 128 // bytes of a value
)

// checkLabels looks at the labels at a path.
func (b *binder) checkLabels(path string, labels map[string]string) {
	if len(labels) > maxLabels {
		b.report(b.at(path), "%s: want at most %d labels, not %d", path, maxLabels, len(labels))
	}
	for _, name := range sortedMapKeys(labels) {
		at := path + "." + name
		if !drivers.IsFieldName(name) {
			b.report(b.at(at), "%s: %.70q is not a lower-case name such as %q", path, name, "site")
		}
		if v := labels[name]; v == "" || len(v) > maxLabel || strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }) {
			b.report(b.at(at), "%s: want a text of 1 to %d bytes that can be printed", at, maxLabel)
		}
	}
}

// labelSensors gives each sensor the gateway's labels that it does not set itself.
func (c *Config) labelSensors() {
	if len(c.Gateway.Labels) == 0 {
		return
	}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		labels := maps.Clone(c.Gateway.Labels)
		maps.Copy(labels, s.Labels)
		s.Labels = labels
	}
}
