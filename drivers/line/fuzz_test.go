package line

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/drivers"
)

// The bytes that a splitter holds are bounded, whatever comes, and it finds the lines that
// strings.Split does.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("1\r\n2\n\n\xff\n3"), uint8(3), "")
	f.Add([]byte("\n"+strings.Repeat("x", 3000)+"\n1\n"), uint8(200), "")
	f.Add([]byte("a;1;ab;;b"), uint8(1), ";")
	f.Add([]byte("a\r\r\n1\r\n2\r"), uint8(1), "\r\n")
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8, end string) {
		end = end[:min(len(end), maxLineEnd)]
		s := newSplitter(16, []byte(end))
		size := len(s.buf)
		want := lines(string(data), end, 16)
		for len(data) > 0 {
			room := s.room()
			if len(room) < 1024 {
				t.Fatalf("room for %d bytes", len(room))
			}
			n := copy(room[:min(len(room), int(chunk)+1)], data)
			data = data[n:]
			s.put(n)
			for line, ok := s.next(); ok; line, ok = s.next() {
				if len(line) == 0 {
					continue
				}
				if len(want) == 0 || string(line) != want[0] {
					t.Fatalf("line %q, want one of %q", line, want)
				}
				want = want[1:]
			}
		}
		if len(want) > 0 {
			t.Fatalf("it did not find %q", want)
		}
		if len(s.buf) != size {
			t.Fatalf("the buffer grew to %d", len(s.buf))
		}
	})
}

// lines returns the whole lines in data that are not empty, without the first.
func lines(data, end string, longest int) []string {
	if end == "" {
		end = "\n"
		data = strings.ReplaceAll(data, "\r", "\n")
	}
	all := strings.Split(data, end)
	var good []string
	for _, line := range all[:len(all)-1][min(1, len(all)-1):] {
		if line != "" && len(line) <= longest {
			good = append(good, line)
		}
	}
	return good
}

// Records are bounded too.
func FuzzRecorder(f *testing.F) {
	f.Add("a\n!\nb\nc\n!\n")
	f.Add("!\n\n\n\n" + strings.Repeat("long", 10) + "\n!\na\n!")
	f.Fuzz(func(t *testing.T, data string) {
		r := recorder{end: regexp.MustCompile("^!"), max: 16, drop: true}
		for line := range strings.SplitSeq(data, "\n") {
			record, ok := r.add([]byte(line), []byte(line))
			if !ok {
				continue
			}
			last := record[strings.LastIndexByte(string(record), '\n')+1:]
			if len(record) > 16+1 || !r.end.Match(last) {
				t.Fatalf("record %q", record)
			}
		}
		if len(r.buf) > 17 {
			t.Fatalf("the buffer grew to %d", len(r.buf))
		}
	})
}

// Whatever a line is, what is found in it is what encoding/json finds.
func FuzzJSON(f *testing.F) {
	for _, line := range []string{rtl433, tasmota, zigbee, `{"a":[{"b":"x"}],"a\u0062":"\ud800"}`, `[NaN,"NaN",{"a":-Infinity}]`, `{"a":{"a":[1,[2,"]"],{"a":3}]}}`, "\xff", ""} {
		f.Add([]byte(line), "a", "a.b[0]")
	}
	f.Fuzz(func(t *testing.T, data []byte, one, two string) {
		o := Spec.Options().(*Options)
		o.Format, o.Fields = "json", map[string]Field{"one": {Path: one, Type: "string"}, "two": {Path: two}}
		if o.Check() != nil {
			return
		}
		p, err := newJSONParser(o)
		if err != nil {
			t.Fatal(err)
		}
		d := decoder{}
		line := d.text(data)
		values, ok := p.parse(nil, line)
		if !ok {
			if p.why(line) == "" {
				t.Fatal("it does not fit, without a reason")
			}
			return
		}
		for _, v := range values {
			if v.Kind() == drivers.KindString && !utf8.ValidString(v.Text()) {
				t.Fatalf("%q is not UTF-8", v.Text())
			}
		}
		if !json.Valid(line) {
			return // NaN
		}
		for i, path := range []string{o.path("one"), o.path("two")} {
			steps, err := parsePath(path)
			if err != nil {
				t.Fatal(err)
			}
			want, has := lookUp(line, steps)
			got := p.walker.found[i]
			switch {
			case !has && got.form != absent, has && got.form == absent:
				t.Fatalf("%s: it is there: %v, got %+v", path, has, got)
			case has && (got.form == scalar || got.form == text) && got.text != want:
				t.Fatalf("%s: want %q, got %+v", path, want, got)
			}
		}
	})
}

// lookUp does what a walker does, by encoding/json.
func lookUp(value json.RawMessage, steps []step) (string, bool) {
	for _, s := range steps {
		if s.index >= 0 {
			var list []json.RawMessage
			if json.Unmarshal(value, &list) != nil || s.index >= len(list) {
				return "", false
			}
			value = list[s.index]
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil || object[s.name] == nil {
			return "", false
		}
		value = object[s.name]
	}
	var s string
	if json.Unmarshal(value, &s) == nil && value[0] == '"' {
		return s, true
	}
	return string(value), true
}

// What is a number, is the same without what is between its digits, and with the other mark.
func FuzzNumbers(f *testing.F) {
	for _, word := range []string{"- 1,234.5", "1.234.567", "12,3E-4", "+.5", "1,23.4", "-", "0x1p4", "٣"} {
		f.Add(word)
	}
	swap := strings.NewReplacer(".", ",", ",", ".")
	f.Fuzz(func(t *testing.T, word string) {
		plain, ok := plainNumber(word, false)
		if !ok {
			return
		}
		if want := strings.NewReplacer(",", "", " ", "").Replace(word); plain != want {
			t.Fatalf("%q: want %q, got %q", word, want, plain)
		}
		if other, ok := plainNumber(swap.Replace(word), true); !ok || other != plain {
			t.Fatalf("%q with a decimal comma: want %q, got %q, %v", word, plain, other, ok)
		}
		if groups, ok := plainNumber(swap.Replace(word), false); ok && strings.ContainsAny(word, ".,") && groups != plain {
			t.Fatalf("%q is %q, and with the other mark %q", word, plain, groups)
		}
	})
}
