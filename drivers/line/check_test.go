package line

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	inJSON := func(o *Options) { o.Format, o.Fields = "json", map[string]Field{"t": {}} }
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"neither", func(o *Options) {}, "option pattern: set it or columns, or format"},
		{"both", func(o *Options) { o.Pattern, o.Columns = "(?P<a>.)", []string{"a"} }, "option columns: set either"},
		{"broken pattern", func(o *Options) { o.Pattern = "(?P<a>[" }, "option pattern: error parsing regexp"},
		{"pattern without names", func(o *Options) { o.Pattern = "([0-9]+)" }, "option pattern: it names no field"},
		{"columns without names", func(o *Options) { o.Columns = []string{"", ""} }, "option columns: it names no field"},
		{"bad name", func(o *Options) { o.Columns = []string{"Temp"} }, `option columns: "Temp" is not a lower-case name`},
		{"same name twice", func(o *Options) { o.Pattern = "(?P<a>.)(?P<a>.)" }, `option pattern: "a" is there twice`},
		{"same column twice", func(o *Options) { o.Columns = []string{"a", "", "a"} }, `"a" is there twice`},
		{"unknown field", func(o *Options) { columns(o); o.Fields["temp"] = Field{} }, "option fields.temp: columns does not name it"},
		{"unknown type", func(o *Options) { columns(o); o.Fields["heater"] = Field{Type: "double"} }, `option fields.heater.type: "double"`},
		{"no separator", func(o *Options) { columns(o); o.Separator = "" }, "option separator"},
		{"separator of a pattern", func(o *Options) { o.Pattern, o.Separator = "(?P<a>.)", ";" }, "option separator: it is for columns"},
		{"separator and decimal", func(o *Options) { columns(o); o.Decimal = "," }, `option separator: it is the decimal comma too`},
		{"separator and line end", func(o *Options) { columns(o); o.Separator, o.LineEnd = ";", ";" }, "option separator: it is the line_end too"},
		{"format", func(o *Options) { columns(o); o.Format = "xml" }, "option format: xml; want text or json"},
		{"JSON without fields", func(o *Options) { o.Format = "json" }, "option fields: it is empty"},
		{"JSON with columns", func(o *Options) { inJSON(o); o.Columns = []string{"t"} }, `option columns: with format = "json" the fields are named by`},
		{"JSON with pattern", func(o *Options) { inJSON(o); o.Pattern = "(?P<t>.)" }, `option pattern: with format = "json"`},
		{"JSON with a bad name", func(o *Options) { inJSON(o); o.Fields["Temp"] = Field{} }, `option fields: "Temp" is not a lower-case name`},
		{"bad path", func(o *Options) { inJSON(o); o.Fields["t"] = Field{Path: "a..b"} }, `option fields.t.path: "a..b": a name is missing`},
		{"path without JSON", func(o *Options) { columns(o); o.Fields["heater"] = Field{Path: "a"} }, `option fields.heater.path: it needs format = "json"`},
		{"bad path of match", func(o *Options) { inJSON(o); o.Match = map[string]Word{"a[": "1"} }, `option match: "a[": an index`},
		{"match without JSON", func(o *Options) { columns(o); o.Match = map[string]Word{"a": "1"} }, `option match: it needs format = "json"`},
		{"decimal", func(o *Options) { columns(o); o.Decimal = ";" }, "option decimal: ;; want . or ,"},
		{"encoding", func(o *Options) { columns(o); o.Encoding = "utf-16" }, "option encoding: utf-16; want utf-8 or latin-1"},
		{"send between single quotes", func(o *Options) { columns(o); o.Send = `S\r\n` }, `option send: \r is a backslash and a letter; write the text between double quotes`},
		{"line end between single quotes", func(o *Options) { columns(o); o.LineEnd = `\x03` }, `option line_end: \x03 is a backslash`},
		{"separator between single quotes", func(o *Options) { columns(o); o.Separator = `\t` }, `option separator: \t is a backslash`},
		{"long request", func(o *Options) { columns(o); o.Send = strings.Repeat("x", 1025) }, "option send: 1025 bytes; want at most 1024"},
		{"long line end", func(o *Options) { columns(o); o.LineEnd = strings.Repeat("x", 33) }, "option line_end: 33 bytes; want at most 32"},
		{"not Latin-1", func(o *Options) { columns(o); o.Encoding, o.Send = "latin-1", "€" }, "option send: '€' is not in the encoding latin-1"},
		{"record of columns", func(o *Options) { columns(o); o.RecordEnd = "^!" }, "option record_end: columns take one line apart"},
		{"broken record end", func(o *Options) { o.Pattern, o.RecordEnd = "(?P<a>.)", "[" }, "option record_end: error parsing regexp"},
		{"pattern of several lines", func(o *Options) { o.Pattern = `(?P<a>.)\n` }, `option pattern: it has a line end (\n), which no line has: set record_end`},
		{"every answer", func(o *Options) { columns(o); o.Send, o.EveryLine = "S\r\n", true }, "option every_line: a device that is asked"},
		{"baud", func(o *Options) { columns(o); o.Baud = 0 }, "option baud: 0;"},
		{"data bits", func(o *Options) { columns(o); o.DataBits = 9 }, "option data_bits: 9;"},
		{"parity", func(o *Options) { columns(o); o.Parity = "mark" }, `option parity: "mark"`},
		{"stop bits", func(o *Options) { columns(o); o.StopBits = 0 }, "option stop_bits: 0;"},
		{"max line", func(o *Options) { columns(o); o.MaxLine = 0 }, "option max_line: 0 bytes"},
		{"columns", columns, ""},
		{"JSON", inJSON, ""},
		{"JSON records that are asked for", func(o *Options) { inJSON(o); o.RecordEnd, o.Send, o.Match = "^}", "?", map[string]Word{"a": "1"} }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Spec.Options().(*Options)
			test.change(o)
			err := o.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// TestMistypedFormat: the fields of JSON are right if only the word is wrong.
func TestMistypedFormat(t *testing.T) {
	o := Spec.Options().(*Options)
	o.Format, o.Fields = "jsn", map[string]Field{"t": {}}
	if err := o.Check(); err == nil || err.Error() != "option format: jsn; want text or json" {
		t.Errorf("got %v", err)
	}
}
