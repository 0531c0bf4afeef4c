package config

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// pos is a place in a configuration file; line and col count from 1, 0 means the file as a whole.
type pos struct {
	file      string
	line, col int
	taker     *pos // in a template: the sensor that takes it
}

// node is one value of a parsed file. Exactly one of table, list and scalar is in use.
type node struct {
	key    pos // where the key stands
	val    pos // where the value stands; the key's place for tables
	table  map[string]*node
	list   []*node
	scalar any // string, int64, float64, bool, or one of go-toml's and time's date types
}

// parse reads one file. Mistakes of syntax are reported, and then the tree is nil.
func parse(r *reporter, name string, text []byte) *node {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // which editors of Windows begin a file with
	r.addFile(name, string(text))
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		at := pos{file: name}
		if d := (*toml.DecodeError)(nil); errors.As(err, &d) {
			at.line, at.col = d.Position()
		}
		message := strings.TrimPrefix(err.Error(), "toml: ")
		line := r.line(at)
		if advice := syntaxAdvice(line, message); advice != "" {
			message += ": " + advice
		}
		report := r.report
		if key, _, _ := strings.Cut(line, "="); secretKey(key) {
			report = r.reportSecret
		}
		report(at, "%s", message)
		return nil
	}
	places := findPlaces(name, text)
	return build(r, values, "", pos{file: name}, places)
}

// place is where a key and its value stand.
type place struct{ key, val pos }

// findPlaces walks the text's syntax tree and returns the places of all keys by their path
// ("sensor.0.name"). The text is known to be valid TOML.
func findPlaces(file string, text []byte) map[string]place {
	places := map[string]place{}
	counts := map[string]int{} // entries of every array of tables so far
	var p unstable.Parser
	p.Reset(text)
	at := func(raw unstable.Range) pos {
		s := p.Shape(raw).Start
		return pos{file: file, line: s.Line, col: s.Column}
	}

	// join extends prefix by a dotted key; an array of tables stands for its newest entry.
	join := func(prefix string, key unstable.Iterator, leaf func(path string, at pos)) string {
		path := prefix
		for key.Next() {
			if path != "" {
				path += "."
			}
			path += string(key.Node().Data)
			here := at(key.Node().Raw)
			if key.IsLast() {
				leaf(path, here)
				break
			}
			if _, known := places[path]; !known {
				places[path] = place{here, here}
			}
			if n := counts[path]; n > 0 {
				path += "." + strconv.Itoa(n-1)
			}
		}
		return path
	}
	var value func(path string, n *unstable.Node, key pos)
	keyValue := func(prefix string, n *unstable.Node) {
		join(prefix, n.Key(), func(path string, key pos) { value(path, n.Value(), key) })
	}
	value = func(path string, n *unstable.Node, key pos) {
		v := key
		if n.Raw.Length > 0 {
			v = at(n.Raw)
		}
		places[path] = place{key, v}
		switch n.Kind {
		case unstable.InlineTable:
			for it := n.Children(); it.Next(); {
				keyValue(path, it.Node())
			}
		case unstable.Array:
			i := 0
			for it := n.Children(); it.Next(); {
				value(path+"."+strconv.Itoa(i), it.Node(), v)
				i++
			}
		}
	}

	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			table = join("", e.Key(), func(path string, here pos) { places[path] = place{here, here} })
			if n := counts[table]; n > 0 {
				table += "." + strconv.Itoa(n-1)
			}
		case unstable.ArrayTable:
			table = join("", e.Key(), func(path string, here pos) {
				if counts[path] == 0 {
					places[path] = place{here, here}
				}
				places[path+"."+strconv.Itoa(counts[path])] = place{here, here}
				counts[path]++
			})
			table += "." + strconv.Itoa(counts[table]-1)
		case unstable.KeyValue:
			keyValue(table, e)
		}
	}
	return places
}

// build joins values and places into a tree and replaces ${NAME} in strings.
func build(r *reporter, v any, path string, parent pos, places map[string]place) *node {
	n := &node{key: parent, val: parent}
	if p, ok := places[path]; ok {
		n.key, n.val = p.key, p.val
	}
	child := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := v.(type) {
	case map[string]any:
		n.table = make(map[string]*node, len(v))
		for k, e := range v {
			n.table[k] = build(r, e, child(k), n.key, places)
		}
	case []any:
		n.list = make([]*node, len(v))
		for i, e := range v {
			n.list[i] = build(r, e, child(strconv.Itoa(i)), n.val, places)
		}
	case string:
		n.scalar = expand(r, v, n.val)
	default:
		n.scalar = v
	}
	return n
}

// expand replaces ${NAME} by the environment's NAME and $$ by a dollar.
func expand(r *reporter, s string, at pos) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	missing := false
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			if missing {
				r.distrust(at)
			}
			return b.String()
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{") && strings.Contains(rest, "}"):
			name, after, _ := strings.Cut(rest[1:], "}")
			v, ok := os.LookupEnv(name)
			if !ok {
				r.report(at, "the environment has no variable %s (write $$ for a dollar sign)", name)
				missing = true
				v = "${" + name + "}" // so that nobody calls it empty
			}
			b.WriteString(v)
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}

// merge lays the tree of a later file over an earlier one.
func merge(base, over *node) *node {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case base.table != nil && over.table != nil:
		for k, n := range over.table {
			base.table[k] = merge(base.table[k], n)
		}
		return base
	case len(base.list) > 0 && len(over.list) > 0 && base.list[0].table != nil && over.list[0].table != nil:
		base.list = append(base.list, over.list...)
		return base
	}
	return over
}
