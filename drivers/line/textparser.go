package line

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// A parser takes lines apart.
type parser interface {
	// parse appends the fields of a line to values. It is false for a line that does not fit: one
	// of another form, or of which no field can be read.
	parse(values []drivers.Value, line []byte) ([]drivers.Value, bool)
	// why says why a line does not fit.
	why(line []byte) string
}

func newParser(o *Options) (parser, error) {
	if o.Format == formatJSON {
		return newJSONParser(o)
	}
	p := &textParser{separator: o.Separator, readers: newReaders(o)}
	if o.Pattern != "" {
		re, err := regexp.Compile(o.Pattern)
		if err != nil {
			return nil, err
		}
		p.pattern = re
	}
	return p, nil
}

// A textParser takes text apart by a pattern or by columns.
type textParser struct {
	pattern   *regexp.Regexp // nil for columns
	separator string
	readers   []fieldReader // by group or column; without a name for those that are not a field
}

func (p *textParser) parse(values []drivers.Value, line []byte) ([]drivers.Value, bool) {
	words, ok := p.split(string(line))
	if !ok {
		return values, false
	}
	good := false
	for i := range p.readers {
		if p.readers[i].name == "" {
			continue
		}
		v := p.readers[i].value(words[i])
		good = good || v.Kind() != drivers.KindBad
		values = append(values, v)
	}
	return values, good
}

// split returns as many words as there are readers.
func (p *textParser) split(line string) ([]string, bool) {
	if p.pattern != nil {
		words := p.pattern.FindStringSubmatch(line)
		return words, words != nil
	}
	words := strings.Split(line, p.separator)
	return words, len(words) == len(p.readers)
}

func (p *textParser) why(line []byte) string {
	words, ok := p.split(string(line))
	switch {
	case ok:
		return whyNot(p.readers, words)
	case p.pattern != nil:
		return ""
	}
	text := fmt.Sprintf("it has %s and columns names %d", count(len(words), "column"), len(p.readers))
	for _, other := range []string{";", "\t", " ", "|", ","} {
		if strings.Count(string(line), other) == len(p.readers)-1 && len(p.readers) > 1 {
			return text + fmt.Sprintf(" (set separator = %q)", other)
		}
	}
	return text
}

// whyNot says why no field of a line can be read, of which words are those of the readers: what is
// wrong with the first that is not missing.
func whyNot(readers []fieldReader, words []string) string {
	for i := range readers {
		if readers[i].name == "" {
			continue
		}
		if problem := readers[i].problem(words[i]); problem != "" {
			return problem
		}
	}
	return "no field is measured"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
