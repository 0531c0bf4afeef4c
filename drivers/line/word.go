package line

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fieldgate/fieldgate/drivers"
)

// A fieldReader makes a Value of the word in which a device says it.
type fieldReader struct {
	name    string
	kind    drivers.Kind
	comma   bool // the decimal mark is a comma
	invalid []Word
}

// newReaders returns a reader for each name; those of "" are not used.
func newReaders(o *Options) []fieldReader {
	all := kinds()
	readers := make([]fieldReader, 0, len(o.names()))
	for _, name := range o.names() {
		f := o.Fields[name]
		readers = append(readers, fieldReader{name, all[f.Type], o.Decimal == ",", slices.Concat(o.Invalid, f.Invalid)})
	}
	return readers
}

// value reads a word. A number has at most one decimal mark; between groups of three digits there
// may be the other one.
func (r *fieldReader) value(word string) drivers.Value {
	word = trimmed(word)
	if word == "" || r.isInvalid(word) {
		return drivers.Bad(r.name, "not measured")
	}
	switch r.kind {
	case drivers.KindString:
		return drivers.String(r.name, word)
	case drivers.KindBool:
		if v, ok := boolean(word); ok {
			return drivers.Bool(r.name, v)
		}
		return drivers.Bad(r.name, "format")
	case drivers.KindInt:
		return r.whole(word)
	}
	return r.number(word)
}

func (r *fieldReader) whole(word string) drivers.Value {
	v, err := strconv.ParseInt(word, 10, 64)
	if err == nil {
		return drivers.Int(r.name, v)
	}
	if errors.Is(err, strconv.ErrRange) {
		return drivers.Bad(r.name, "range")
	}
	plain, ok := plainNumber(word, r.comma)
	if !ok {
		return drivers.Bad(r.name, r.complaint(word))
	}
	digits, fraction, _ := strings.Cut(plain, ".")
	if strings.Trim(fraction, "0") != "" { // programs print 5.0 for 5
		return drivers.Bad(r.name, "format")
	}
	if v, err = strconv.ParseInt(digits, 10, 64); errors.Is(err, strconv.ErrRange) {
		return drivers.Bad(r.name, "range")
	} else if err != nil {
		return drivers.Bad(r.name, "format")
	}
	return drivers.Int(r.name, v)
}

func (r *fieldReader) number(word string) drivers.Value {
	if r.comma && strings.ContainsAny(word, ".,") {
		plain, ok := plainNumber(word, true)
		if !ok {
			return drivers.Bad(r.name, "format")
		}
		word = plain
	}
	v, err := strconv.ParseFloat(word, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		plain, ok := plainNumber(word, false)
		if !ok {
			return drivers.Bad(r.name, r.complaint(word))
		}
		v, err = strconv.ParseFloat(plain, 64)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return drivers.Bad(r.name, "range")
	case err != nil:
		return drivers.Bad(r.name, "format")
	case math.IsNaN(v): // what a program prints for a sensor that does not answer
		return drivers.Bad(r.name, "not measured")
	}
	return drivers.Float(r.name, v)
}

// complaint returns why a word is not a number, in the words of Bad.
func (r *fieldReader) complaint(word string) string {
	if _, other := plainNumber(word, !r.comma); other && !r.comma {
		return "decimal comma"
	}
	return "format"
}

// isInvalid reports whether the device says by a word that it has no value.
func (r *fieldReader) isInvalid(word string) bool {
	return slices.ContainsFunc(r.invalid, func(w Word) bool { return w.is(word) })
}

// is reports whether a word of the device is w, or the same number.
func (w Word) is(word string) bool {
	if string(w) == word {
		return true
	}
	a, err := strconv.ParseFloat(string(w), 64)
	if err != nil {
		return false
	}
	b, err := strconv.ParseFloat(word, 64)
	return err == nil && a == b
}

func boolean(word string) (v, ok bool) {
	switch strings.ToLower(word) {
	case "1", "true", "on", "yes":
		return true, true
	case "0", "false", "off", "no":
		return false, true
	}
	return false, false
}

// trimmed returns a word without what is around it: spaces, and controls such as XON.
func trimmed(word string) string {
	return strings.TrimFunc(word, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// plainNumber returns a number as strconv reads it, from one with spaces after its sign, with a
// decimal comma, or with separators between groups of three digits. These are the decimal mark that
// the device does not use; a single comma in a number without a point may be a decimal comma, so it
// is not a number.
func plainNumber(word string, comma bool) (string, bool) {
	mark, separator := byte('.'), byte(',')
	if comma {
		mark, separator = separator, mark
	}
	var room [64]byte
	plain := room[:0]
	if word != "" && (word[0] == '-' || word[0] == '+') {
		plain = append(plain, word[0])
		word = strings.TrimLeft(word[1:], " ")
	}
	at := strings.IndexByte(word, mark)
	whole, rest := word, ""
	if at >= 0 {
		whole, rest = word[:at], word[at+1:]
	} else if e := strings.IndexAny(word, "eE"); e >= 0 {
		whole, rest = word[:e], word[e:]
	}
	if len(word) > len(room)-2 {
		return "", false
	}
	groups := strings.Count(whole, string(separator))
	if groups == 1 && at < 0 && !comma {
		return "", false
	}
	size := 0 // of the group
	for i := range len(whole) {
		switch c := whole[i]; {
		case c >= '0' && c <= '9':
			plain = append(plain, c)
			size++
		case c == separator && i > 0 && whole[0] != '0' && (size == 3 || size > 0 && size < 3 && i == size):
			size = 0
		default:
			return "", false
		}
	}
	if groups > 0 && size != 3 || whole == "" && rest == "" {
		return "", false
	}
	if at >= 0 {
		plain = append(plain, '.')
	}
	for i := range len(rest) {
		c := rest[i]
		if (c < '0' || c > '9') && c != 'e' && c != 'E' && c != '-' && c != '+' {
			return "", false
		}
		plain = append(plain, c)
	}
	return string(plain), true
}
