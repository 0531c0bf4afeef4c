package line

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// optionNames returns the names of all options, and of those of a field.
func optionNames() []string {
	var names []string
	for _, of := range []reflect.Type{reflect.TypeFor[Options](), reflect.TypeFor[Field]()} {
		for i := range of.NumField() {
			names = append(names, of.Field(i).Tag.Get("toml"))
		}
	}
	return names
}

// Each message says what came, and names the options that may help.
func TestMessages(t *testing.T) {
	pattern := func(o *Options) { o.Pattern = `^T=(?P<t>[0-9.]+) H=(?P<h>[0-9.]+)$` }
	typed := func(kind string) func(*Options) {
		return func(o *Options) { o.Columns, o.Fields = []string{"t"}, map[string]Field{"t": {Type: kind}} }
	}
	record := func(o *Options) { o.Pattern, o.RecordEnd, o.MaxLine = `(?s)T=(?P<t>\d+)`, "^!", 64 }
	inJSON := func(o *Options) { o.Format, o.Fields = "json", map[string]Field{"t": {}} }
	long := strings.Repeat("9", 300)
	for _, test := range []struct {
		name    string
		change  func(*Options)
		says    string
		want    string
		options []string
	}{
		{"silence", one, "", "nothing came: is the device powered and sending, and is its TX wired to our RX? What speaks only when asked needs send", []string{"send"}},
		{"noise", one, "\x00\xfe\x80\x9f\xe0\x80\x00\xfc\xf8", "9 bytes came but no text; the first are 00 fe 80 9f e0 80 00 fc: the baud rate is probably not the device's (configured: 9600 8N1), or its data bits and parity", []string{"parity"}},
		{"lines of noise", one, "\n\x00\xfe\x80\n\x9f\xe0\x80\n\x00\xfc\xf8\n", "9 bytes came but no text", nil},
		{"parity bits", one, "\x2b\xb1\xb2\x2e\x35\xa0\xc3\x8d\n", "they are text with parity bits (configured: 9600 8N1): set data_bits = 7 and parity", []string{"data_bits", "parity"}},
		{"ETX", one, "\x025\x03\x026\x03", `if a value ends with ETX (03), set line_end = "\u0003"`, []string{"line_end"}},
		{"no line end", one, "21.5;21.6;", `10 bytes came but no line end (CR or LF); the first are "21.5;21.": set line_end`, []string{"line_end"}},
		{"another line end", func(o *Options) { one(o); o.LineEnd = "\r" }, "\n21.5\n", `no line end ("\r"); the first are "21.5": set line_end`, []string{"line_end"}},
		{"a novel", one, long + long, `600 bytes came but no line end (CR or LF) within 256 bytes; the first are "99999999": set line_end, or a larger max_line`, []string{"line_end", "max_line"}},
		{"long lines", one, "\n" + long + "\n" + long + "\n", `600 bytes came but no line of at most 256 bytes; the first are "99999999": set a larger max_line`, []string{"max_line"}},
		{"rest of a line", one, "21.5\n", "4 bytes came but no whole line, only the rest of one: a device that speaks seldom needs a longer timeout", nil},
		{"other text", pattern, "\nhello \x1b[31mworld\n", `no line fits pattern; the last one was "hello \x1b[31mworld"`, []string{"pattern"}},
		{"controls", one, "\n\x02x\x03\n", `no line fits columns; the last one was "\x02x\x03": field a: "x" is not a number (set type = "string" for a text, invalid for one that means "not measured")`, []string{"type", "invalid"}},
		{"several lines", pattern, "\nT=21\nH=40\n", `no line fits pattern; the last one was "H=40" (if a reading has several lines, set record_end)`, []string{"record_end"}},
		{"Latin-1", pattern, "\nT=21 H=40 \xb0C\n", `the last one was "T=21 H=40 \xb0C" (it is not UTF-8: set encoding = "latin-1")`, []string{"encoding"}},
		{"columns", two, "\n1;2\n", `no line fits columns; the last one was "1;2": it has 1 column and columns names 2 (set separator = ";")`, []string{"separator"}},
		{"too many columns", two, "\n1,2,3\n", `it has 3 columns and columns names 2`, []string{"columns"}},
		{"decimal comma", typed(""), "\n21,5\n", `it has 2 columns and columns names 1`, []string{"columns"}},
		{"decimal comma of a pattern", func(o *Options) { o.Pattern = `t=(?P<t>\S+)` }, "\nt=21,5\n", `field t: "21,5" is not a number (a decimal comma? set decimal)`, []string{"decimal"}},
		{"thousands or a decimal comma", func(o *Options) { o.Pattern = `t=(?P<t>\S+)` }, "\nt=1,234\n", `field t: "1,234" is not a number (a decimal comma? set decimal)`, []string{"decimal"}},
		{"decimal point", func(o *Options) { o.Pattern, o.Decimal = `t=(?P<t>\S+)`, "," }, "\nt=21.5\n", `field t: "21.5" is not a number with a decimal comma: leave decimal out`, []string{"decimal"}},
		{"not whole", typed("int"), "\n21.5\n", `field t: "21.5" is not a whole number (set type = "float")`, []string{"type"}},
		{"not a bool", typed("bool"), "\nopen\n", `field t: "open" is not a bool, which is 1, true, on, yes, 0, false, off or no (set type)`, []string{"type"}},
		{"a bool", typed(""), "\non\n", `field t: "on" is not a number (set type = "bool")`, []string{"type"}},
		{"unit", typed(""), "\n21.5 kg\n", `field t: "21.5 kg" is not a number (if a unit comes after it, leave that out by pattern)`, []string{"pattern"}},
		{"too large", typed(""), "\n1e999\n", `field t: "1e999" is too large a number`, nil},
		{"not measured", func(o *Options) { one(o); o.Invalid = []Word{"-999"} }, "\n-999\n", `the last one was "-999": no field is measured`, nil},
		{"no end of a record", record, "\nT=1\nH=2\n", `6 bytes came but no whole record in 3 lines, the last of which was "H=2": set record_end ("^!")`, []string{"record_end"}},
		{"long records", record, "\n!\n" + strings.Repeat("T=1\n", 40), `121 bytes came but no record of at most 64 bytes; the last line was "T=1": does record_end ("^!") match the last line of each, or is max_line too small?`, []string{"record_end", "max_line"}},
		{"record of another form", record, "\n!\nX=1\n!\n", `no record fits pattern; the last one was "X=1\n!"`, []string{"pattern"}},
		{"not JSON", inJSON, "\nt=5\n", `no line fits fields; the last one was "t=5": it is not JSON: at byte 2: invalid character`, []string{"fields"}},
		{"JSON on several lines", inJSON, "\n{\n", `it is the beginning of JSON: if the value has several lines, set record_end, such as '^}'`, []string{"record_end"}},
		{"other members", inJSON, "\n{\"temp\":NaN,\"hum\":40}\n", `it has none of the fields; its members are "hum", "temp": set fields.NAME.path`, []string{"path"}},
		{"an object", inJSON, "\n{\"t\":{\"c\":1}}\n", "field t: it is an object or a list, of which path must name a part", []string{"path"}},
		{"null", inJSON, "\n{\"t\":null}\n", "no field is measured", nil},
		{"another device", func(o *Options) { inJSON(o); o.Match = map[string]Word{"id": "5"} }, "\n{\"id\":6,\"t\":1}\n", `no line fits fields and match; the last one was "{\"id\":6,\"t\":1}": its id is not the one that match wants`, []string{"match"}},
		{"JSON with a decimal comma", inJSON, "\n{\"t\":\"21,5\"}\n", `field t: "21,5" is not a number (a decimal comma? set decimal)`, []string{"decimal"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := readAll(t, device(t, test.change, test.says))
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("want the deadline and %q, got %v", test.want, err)
				}
				for _, name := range test.options {
					if !strings.Contains(test.want, name) || !slices.Contains(optionNames(), name) {
						t.Errorf("the message does not name the option %s, or there is none", name)
					}
				}
			})
		})
	}
}

// What a device said before it was asked is not its answer, nor is the rest of a late one.
func TestSend(t *testing.T) {
	ask := func(o *Options) { one(o); o.Send = "P\r" }
	t.Run("what came before is dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			d := open(t, drivertest.OnSerial(drivertest.Device{
				Every: 2 * time.Second, Says: func(int) string { return "66\r\n" },
				Delay: 100 * time.Millisecond, Answers: func(p []byte) string {
					if asked++; string(p) != "P\r" {
						t.Errorf("it was sent %q", p)
					}
					return "12.5\r\n> "
				},
			}), ask)
			time.Sleep(5 * time.Second)
			for n := range 2 {
				if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 12.5 || asked != n+1 {
					t.Errorf("got %#v, %v after %d requests", values, err, asked)
				}
			}
		})
	})
	t.Run("a late answer arrives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			buses := drivertest.OnSerial(drivertest.Device{Delay: 400 * time.Millisecond, Answers: func([]byte) string { return "12345678\r\n" }})
			d := open(t, buses, ask)
			buses.PerByte(10 * time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 430*time.Millisecond)
			defer cancel()
			if _, err := d.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 12345678 {
				t.Errorf("got %#v, %v", values, err)
			}
		})
	})
	t.Run("it never stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(t, drivertest.OnSerial(drivertest.Device{Every: 10 * time.Millisecond, Says: func(n int) string { return []string{"12", "34\n"}[n%2] }, Answers: func([]byte) string { return "" }}), ask)
			time.Sleep(15 * time.Millisecond)
			if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 1234 {
				t.Errorf("got %#v, %v", values, err)
			}
		})
	})
	t.Run("no answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err := readAll(t, open(t, drivertest.OnSerial(drivertest.Device{}), ask))
			if want := `nothing came in answer to "P\r": does send end as the device wants it (often with \r or \r\n), are baud and parity its own, is it powered, and is its RX wired to our TX?`; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	})
	t.Run("no line end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err := readAll(t, open(t, drivertest.OnSerial(drivertest.Device{Answers: func([]byte) string { return "12.5" }}), ask))
			if want := `4 bytes came but no line end (CR or LF); the first are "12.5": set line_end`; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	})
	t.Run("Latin-1", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := open(t, drivertest.OnSerial(drivertest.Device{Answers: func(p []byte) string {
				if string(p) != "\xa7" {
					return ""
				}
				return "5\xa7"
			}}), func(o *Options) { one(o); o.Encoding, o.Send, o.LineEnd = "latin-1", "§", "§" })
			if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 5 {
				t.Errorf("got %#v, %v", values, err)
			}
		})
	})
}
