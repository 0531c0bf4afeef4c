package line

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
)

// maxSend bounds what is written before each reading, in bytes.
const maxSend = 1024

// A checker collects what is wrong with options.
type checker struct{ errs []error }

// wrong reports an option if it is bad.
func (c *checker) wrong(bad bool, key, format string, args ...any) {
	if bad {
		c.errs = append(c.errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
	}
}

// Check reports every option that has an impossible value, and those that contradict each other.
func (o *Options) Check() error {
	c := &checker{}
	c.form(o)
	c.fields(o)
	c.bytes(o)
	c.records(o)
	c.wrong(o.Baud < 50 || o.Baud > 4_000_000, "baud", "%d; want 50 to 4000000", o.Baud)
	c.wrong(o.DataBits < 5 || o.DataBits > 8, "data_bits", "%d; want 5 to 8", o.DataBits)
	c.wrong(!slices.Contains([]string{"none", "odd", "even"}, o.Parity), "parity", "%q; want none, odd or even", o.Parity)
	c.wrong(o.StopBits != 1 && o.StopBits != 2, "stop_bits", "%d; want 1 or 2", o.StopBits)
	c.wrong(o.MaxLine < 1 || o.MaxLine > 65536, "max_line", "%d bytes; want 1 to 65536", o.MaxLine)
	return errors.Join(c.errs...)
}

// form checks what takes a line apart.
func (c *checker) form(o *Options) {
	c.errs = append(c.errs, kit.CheckOneOf("format", o.Format, formatText, formatJSON))
	if o.Format == formatJSON {
		const other = "with format = \"json\" the fields are named by fields.NAME.path"
		c.wrong(o.Pattern != "", "pattern", other)
		c.wrong(o.Columns != nil, "columns", other)
		c.wrong(len(o.Fields) == 0, "fields", "it is empty; with format = \"json\" it names the fields: temperature = { path = \"sensor.temp\", unit = \"Cel\" }")
		for _, path := range slices.Sorted(maps.Keys(o.Match)) {
			_, err := parsePath(path)
			c.wrong(err != nil, "match", "%q: %v", path, err)
		}
		return
	}
	c.wrong(o.Match != nil, "match", "it needs format = \"json\"; a pattern can name the device itself")
	switch {
	case o.Pattern == "" && o.Columns == nil && o.Format == formatText:
		c.wrong(true, "pattern", "set it or columns, or format = \"json\": nothing says what the lines look like")
	case o.Pattern != "" && o.Columns != nil:
		c.wrong(true, "columns", "set either this or pattern")
	case o.Pattern != "":
		_, err := regexp.Compile(o.Pattern)
		c.wrong(err != nil, "pattern", "%v", err)
		c.wrong(o.Separator != Spec.Options().(*Options).Separator, "separator", "it is for columns; pattern says itself what is between the fields")
	case o.Columns != nil:
		c.wrong(o.Separator == "", "separator", "it is empty")
		c.wrong(o.Separator == "," && o.Decimal == ",", "separator", "it is the decimal comma too; devices that print one have another between columns, such as \";\"")
		c.wrong(o.Separator != "" && o.Separator == o.LineEnd, "separator", "it is the line_end too")
	}
}

// fields checks the names of the fields, and what is said of them.
func (c *checker) fields(o *Options) {
	from := o.from()
	names := slices.DeleteFunc(slices.Clone(o.names()), func(name string) bool { return name == "" })
	sound := !slices.ContainsFunc(c.errs, func(err error) bool { return err != nil })
	c.wrong(sound && len(names) == 0, from, "it names no field; a group of a pattern is named so: (?P<temperature>[0-9.]+)")
	for i, name := range names {
		c.wrong(!drivers.IsFieldName(name), from, "%q is not a lower-case name such as %q", name, "flow_rate")
		c.wrong(slices.Contains(names[:i], name), from, "%q is there twice", name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		f, key := o.Fields[name], "fields."+name
		c.wrong(len(names) > 0 && !slices.Contains(names, name), key, "%s does not name it; it names %s", from, strings.Join(names, ", "))
		_, ok := kinds()[f.Type]
		c.wrong(!ok, key+".type", "%q is none of float, int, bool, string", f.Type)
		if o.Format == formatJSON {
			_, err := parsePath(o.path(name))
			c.wrong(err != nil, key+".path", "%q: %v", o.path(name), err)
		} else {
			c.wrong(f.Path != "", key+".path", "it needs format = \"json\"")
		}
	}
}

// bytes checks how bytes become text and numbers.
func (c *checker) bytes(o *Options) {
	c.errs = append(c.errs, kit.CheckOneOf("encoding", o.Encoding, utf8Text, latin1Text), kit.CheckOneOf("decimal", o.Decimal, ".", ","))
	for _, text := range []struct{ key, value string }{{"send", o.Send}, {"line_end", o.LineEnd}, {"separator", o.Separator}} {
		escape := singleQuoted.FindString(text.value)
		c.wrong(escape != "", text.key, "%s is a backslash and a letter; write the text between double quotes, which make one character of it", escape)
		_, err := encoded(o.Encoding, text.value)
		c.wrong(err != nil, text.key, "%v", err)
	}
	c.wrong(len(o.Send) > maxSend, "send", "%d bytes; want at most %d", len(o.Send), maxSend)
	c.wrong(len(o.LineEnd) > maxLineEnd, "line_end", "%d bytes; want at most %d", len(o.LineEnd), maxLineEnd)
}

// singleQuoted finds what a text between single quotes keeps and one between double quotes does
// not.
var singleQuoted = regexp.MustCompile(`\\([rntbfe0]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})`)

// records checks what makes a reading of several lines, and when one is asked for.
func (c *checker) records(o *Options) {
	if o.RecordEnd != "" {
		_, err := regexp.Compile(o.RecordEnd)
		c.wrong(err != nil, "record_end", "%v", err)
		c.wrong(o.Columns != nil, "record_end", "columns take one line apart; use pattern for a record of several")
	} else {
		c.wrong(strings.Contains(o.Pattern, `\n`), "pattern", "it has a line end (\\n), which no line has: set record_end")
	}
	c.wrong(o.Send != "" && o.EveryLine, "every_line", "a device that is asked (send) gives one answer to each reading")
}
