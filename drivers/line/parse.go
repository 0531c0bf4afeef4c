package line

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// A parser takes lines apart.
type parser struct {
	pattern   *regexp.Regexp // nil for columns
	separator string
	names     []string // by group or column; "" for those that are not a field
	kinds     []drivers.Kind
}

func newParser(o *Options) (*parser, error) {
	p := &parser{separator: o.Separator, names: o.names()}
	if o.Pattern != "" {
		re, err := regexp.Compile(o.Pattern)
		if err != nil {
			return nil, err
		}
		p.pattern = re
	}
	all := kinds()
	for _, name := range p.names {
		p.kinds = append(p.kinds, all[o.Fields[name].Type])
	}
	return p, nil
}

// parse appends the fields of a line to values. It is false for a line that does not fit: one that
// the pattern does not match, that has another number of columns, or of which no field can be read.
func (p *parser) parse(values []drivers.Value, line string) ([]drivers.Value, bool) {
	words, ok := p.split(line)
	if !ok {
		return values, false
	}
	good := false
	for i, name := range p.names {
		if name == "" {
			continue
		}
		v := value(name, p.kinds[i], strings.TrimSpace(words[i]))
		good = good || v.Kind() != drivers.KindBad
		values = append(values, v)
	}
	return values, good
}

// split returns as many words as there are names.
func (p *parser) split(line string) ([]string, bool) {
	if p.pattern != nil {
		words := p.pattern.FindStringSubmatch(line)
		return words, words != nil
	}
	words := strings.Split(line, p.separator)
	return words, len(words) == len(p.names)
}

// value reads one word.
func value(name string, kind drivers.Kind, word string) drivers.Value {
	if word == "" {
		return drivers.Bad(name, "not measured")
	}
	switch kind {
	case drivers.KindString:
		return drivers.String(name, word)
	case drivers.KindBool:
		switch strings.ToLower(word) {
		case "1", "true", "on", "yes":
			return drivers.Bool(name, true)
		case "0", "false", "off", "no":
			return drivers.Bool(name, false)
		}
	case drivers.KindInt:
		v, err := strconv.ParseInt(word, 10, 64)
		if err == nil {
			return drivers.Int(name, v)
		}
		if errors.Is(err, strconv.ErrRange) {
			return drivers.Bad(name, "range")
		}
	case drivers.KindFloat:
		v, err := strconv.ParseFloat(word, 64)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return drivers.Bad(name, "range")
		case err == nil && math.IsNaN(v): // what a program prints for a sensor that does not answer
			return drivers.Bad(name, "not measured")
		case err == nil:
			return drivers.Float(name, v)
		}
	}
	return drivers.Bad(name, "format")
}
