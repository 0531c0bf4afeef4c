package line

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// A jsonParser takes JSON apart by paths. A line that lacks some of the fields fits, one that lacks
// all does not.
type jsonParser struct {
	readers []fieldReader
	match   []Word
	matches []string // their paths
	paths   tree     // the slots of the readers come first, then those of match
	walker  walker
}

func newJSONParser(o *Options) (*jsonParser, error) {
	p := &jsonParser{readers: newReaders(o)}
	add := func(path string) error {
		steps, err := parsePath(path)
		p.paths.add(steps, len(p.walker.found))
		p.walker.found = append(p.walker.found, found{})
		return err
	}
	for i := range p.readers {
		if err := add(o.path(p.readers[i].name)); err != nil {
			return nil, err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(o.Match)) {
		p.match, p.matches = append(p.match, o.Match[path]), append(p.matches, path)
		if err := add(path); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *jsonParser) parse(values []drivers.Value, line []byte) ([]drivers.Value, bool) {
	if p.find(line) != nil || p.mismatch() != "" {
		return values, false
	}
	good := false
	for i := range p.readers {
		v := p.readers[i].ofJSON(p.walker.found[i])
		good = good || v.Kind() != drivers.KindBad
		values = append(values, v)
	}
	return values, good
}

// find takes the values from a line.
func (p *jsonParser) find(line []byte) error {
	if !json.Valid(line) {
		if line = withoutNaN(line); !json.Valid(line) {
			return json.Unmarshal(line, new(any))
		}
	}
	p.walker.walk(string(line), &p.paths)
	return nil
}

// mismatch returns the path of the value by which the line is from another device, "" if it is not.
func (p *jsonParser) mismatch() string {
	for i, w := range p.match {
		f := p.walker.found[len(p.readers)+i]
		if same := f.text == string(w) && f.form != absent && f.form != compound || f.form == scalar && w.is(f.text); !same {
			return p.matches[i]
		}
	}
	return ""
}

// ofJSON reads a value of JSON. Numbers always have a decimal point there.
func (r *fieldReader) ofJSON(f found) drivers.Value {
	switch f.form {
	case absent, null:
		return drivers.Bad(r.name, "not measured")
	case compound:
		return drivers.Bad(r.name, "format")
	case scalar:
		point := *r
		point.comma = false
		return point.value(f.text)
	}
	return r.value(f.text)
}

func (p *jsonParser) why(line []byte) string {
	if err := p.find(line); err != nil {
		return notJSON(err)
	}
	if path := p.mismatch(); path != "" {
		return fmt.Sprintf("its %s is not the one that match wants", path)
	}
	missing := 0
	words := make([]string, len(p.readers))
	for i := range p.readers {
		switch f := p.walker.found[i]; f.form {
		case absent:
			missing++
		case compound:
			return fmt.Sprintf("field %s: it is an object or a list, of which path must name a part", p.readers[i].name)
		default:
			words[i] = f.text
		}
	}
	if missing == len(p.readers) {
		return "it has none of the fields" + members(line) + ": set fields.NAME.path"
	}
	return whyNot(p.readers, words)
}

// notJSON says why a line is not JSON.
func notJSON(err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Sprintf("it is not JSON: %v", err)
	}
	if strings.Contains(syntax.Error(), "unexpected end") {
		return "it is the beginning of JSON: if the value has several lines, set record_end, such as '^}'"
	}
	return fmt.Sprintf("it is not JSON: at byte %d: %v", syntax.Offset, syntax)
}

// members says which members an object has.
func members(line []byte) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(withoutNaN(line), &object) != nil || len(object) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(object))
	more := ""
	if len(names) > 12 {
		more = ", …"
		names = names[:12]
	}
	for i, name := range names {
		names[i] = strconv.Quote(name[:min(len(name), 40)])
	}
	return "; its members are " + strings.Join(names, ", ") + more
}
