package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// applyTemplates lays every [[sensor]] that takes a template over that template, and takes the
// templates out of the tree. Tables merge key by key, lists replace. One that no sensor takes is
// checked as far as it can be without a driver.
func (b *binder) applyTemplates(tree *node) {
	all := tree.table["template"]
	delete(tree.table, "template")
	if all != nil && all.table == nil {
		b.wrong(all, "template", "a table: write [template.NAME] before each")
		all = nil
	}
	templates := map[string]*node{}
	if all != nil {
		for _, name := range sortedKeys(all) {
			t := all.table[name]
			path := "template." + name
			if t.table == nil {
				b.wrong(t, path, "a table")
				continue
			}
			if n := t.table["template"]; n != nil {
				b.report(n.key, "%s cannot take another template: write its keys here", path)
				delete(t.table, "template")
			}
			templates[name] = t
		}
	}
	taken := map[string]bool{}
	if sensors := tree.table["sensor"]; sensors != nil {
		for i, s := range sensors.list {
			if name := b.templateOf(s, fmt.Sprintf("sensor.%d", i), templates); name != "" {
				taken[name] = true
				sensors.list[i] = lay(templates[name].copyFor(&s.val), s)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if !taken[name] {
			var s Sensor
			b.bind(templates[name], reflect.ValueOf(&s).Elem(), "template."+name)
		}
	}
}

// templateOf returns the template that a sensor takes; "" if it takes none, or one that is not
// there.
func (b *binder) templateOf(s *node, path string, templates map[string]*node) string {
	n := s.table["template"]
	if n == nil {
		return ""
	}
	name, ok := n.scalar.(string)
	if templates[name] != nil {
		return name
	}
	known := slices.Sorted(maps.Keys(templates))
	switch {
	case !ok: // binding it reports that
	case len(known) == 0:
		b.report(n.val, "%s.template: there is no template %q: write [template.%s] with what its sensors have in common", path, name, name)
	default:
		b.report(n.val, "%s.template: there is no template %q%s; the templates: %s", path, name, DidYouMean(name, known), strings.Join(known, ", "))
	}
	b.distrust(s.val) // what is missing now may be in the template that was meant
	return ""
}

// copyFor returns a copy of a template whose places name the sensor that takes it.
func (n *node) copyFor(taker *pos) *node {
	c := *n
	c.key.taker, c.val.taker = taker, taker
	if n.table != nil {
		c.table = make(map[string]*node, len(n.table))
		for k, e := range n.table {
			c.table[k] = e.copyFor(taker)
		}
	}
	if n.list != nil {
		c.list = make([]*node, len(n.list))
		for i, e := range n.list {
			c.list[i] = e.copyFor(taker)
		}
	}
	return &c
}

// lay lays a sensor over its template.
func lay(template, own *node) *node {
	if template == nil || template.table == nil || own.table == nil {
		return own
	}
	for k, n := range template.table {
		if own.table[k] == nil {
			own.table[k] = n
		} else {
			own.table[k] = lay(n, own.table[k])
		}
	}
	return own
}
