package line

import (
	"encoding/json"
	"strings"
)

// A form is that of a value in JSON.
type form byte

const (
	absent form = iota
	null
	scalar // a number, true or false
	text
	compound // an object or an array
)

// A found is a value in JSON: of text what it means, of other scalars what is written.
type found struct {
	form form
	text string
}

// A walker finds the values of a tree's paths in valid JSON. It goes as deep as these; what is not
// looked for is passed over, however deep it is.
type walker struct {
	json  string
	at    int
	found []found // by slot
}

// walk takes the values of t from JSON that is valid.
func (w *walker) walk(json string, t *tree) {
	w.json, w.at = json, 0
	clear(w.found)
	w.space()
	w.value(t)
}

// value takes what is wanted of the value that begins here, and goes to its end. t is nil if
// nothing is.
func (w *walker) value(t *tree) {
	if t == nil {
		w.skip()
		return
	}
	begin := w.at
	switch w.json[begin] {
	case '{':
		w.keep(t, found{form: compound})
		w.object(t)
	case '[':
		w.keep(t, found{form: compound})
		w.array(t)
	case '"':
		w.skip()
		w.keep(t, found{text, unquoted(w.json[begin:w.at])})
	case 'n':
		w.skip()
		w.keep(t, found{form: null})
	default:
		w.skip()
		w.keep(t, found{scalar, w.json[begin:w.at]})
	}
}

func (w *walker) keep(t *tree, f found) {
	for _, slot := range t.slots {
		w.found[slot] = f
	}
}

func (w *walker) object(t *tree) {
	w.at++
	for w.space(); w.json[w.at] != '}'; w.space() {
		begin := w.at
		w.skip()
		name := unquoted(w.json[begin:w.at])
		w.space()
		w.at++ // the colon
		w.space()
		w.value(t.member(name))
		w.comma()
	}
	w.at++
}

func (w *walker) array(t *tree) {
	w.at++
	w.space()
	for i := 0; w.json[w.at] != ']'; i++ {
		w.value(t.element(i))
		w.comma()
		w.space()
	}
	w.at++
}

func (w *walker) comma() {
	w.space()
	if w.json[w.at] == ',' {
		w.at++
	}
}

func (w *walker) space() {
	for w.at < len(w.json) && strings.IndexByte(" \t\r\n", w.json[w.at]) >= 0 {
		w.at++
	}
}

// skip goes to the end of the value that begins here.
func (w *walker) skip() {
	for depth := 0; w.at < len(w.json); {
		switch w.json[w.at] {
		case '"':
			w.at = endOfText(w.json, w.at)
		case '{', '[':
			depth++
			w.at++
		case '}', ']':
			depth--
			w.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			w.at++
		default:
			for w.at < len(w.json) && strings.IndexByte(",:]} \t\r\n", w.json[w.at]) < 0 {
				w.at++
			}
		}
		if depth == 0 {
			return
		}
	}
}

// endOfText returns where a text that begins at at is over.
func endOfText(json string, at int) int {
	for at++; at < len(json) && json[at] != '"'; at++ {
		if json[at] == '\\' {
			at++
		}
	}
	return min(at+1, len(json))
}

// unquoted returns what a text of valid JSON means.
func unquoted(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if err := json.Unmarshal([]byte(quoted), &s); err != nil { // cannot be: the whole is valid
		return inner
	}
	return s
}

// withoutNaN returns JSON with null in the place of NaN and the infinities, which Python and others
// write although JSON does not have them.
func withoutNaN(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for at := 0; at < len(line); {
		if line[at] == '"' {
			end := endOfText(string(line), at)
			out = append(out, line[at:end]...)
			at = end
			continue
		}
		size := 0
		for _, word := range []string{"NaN", "-Infinity", "Infinity", "nan", "-inf", "inf"} {
			if strings.HasPrefix(string(line[at:min(len(line), at+len(word))]), word) {
				size = len(word)
				break
			}
		}
		if size > 0 {
			out = append(out, "null"...)
			at += size
			continue
		}
		out = append(out, line[at])
		at++
	}
	return out
}
