package line

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// Options are what the configuration may set. Either Pattern or Columns has to be.
type Options struct {
	Pattern   string   `toml:"pattern" doc:"regular expression (RE2) with a named group for each field: '^T=(?P<temperature>\\S+)'"`
	Columns   []string `toml:"columns" doc:"the field in each column; an empty string passes a column over"`
	Separator string   `toml:"separator" doc:"what is between columns"`

	Fields map[string]Field `toml:"fields" doc:"types and units of fields that are not plain floats"`

	Baud     int    `toml:"baud" doc:"bits per second, 50 to 4000000"`
	DataBits int    `toml:"data_bits" doc:"5 to 8"`
	Parity   string `toml:"parity" doc:"none, odd or even"`
	StopBits int    `toml:"stop_bits" doc:"1 or 2"`

	MaxLine   int  `toml:"max_line" doc:"longest line in bytes, 1 to 65536; longer ones are passed over"`
	EveryLine bool `toml:"every_line" doc:"return every line in turn instead of the newest, for use with every = \"0s\""`
}

// A Field says what a group or column is.
type Field struct {
	Type string `toml:"type" doc:"float (default), int, bool or string"`
	Unit string `toml:"unit" doc:"a SenML symbol such as Cel or %RH; default none"`
}

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("line", "any device that writes lines of text: a regular expression or columns",
	Options{Separator: ",", Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1, MaxLine: 256}, fields, mode, Open)

func mode(o *Options) drivers.SerialMode {
	return drivers.SerialMode{Baud: o.Baud, DataBits: o.DataBits, Parity: o.Parity, StopBits: o.StopBits}
}

// kinds are the types that a field may have.
func kinds() map[string]drivers.Kind {
	return map[string]drivers.Kind{
		"": drivers.KindFloat, "float": drivers.KindFloat, "int": drivers.KindInt, "bool": drivers.KindBool, "string": drivers.KindString,
	}
}

// names returns the names of the fields in the order of the groups or columns, "" for those that
// are none. Only a pattern that can be compiled has names.
func (o *Options) names() []string {
	if o.Pattern == "" {
		return o.Columns
	}
	re, err := regexp.Compile(o.Pattern)
	if err != nil {
		return nil
	}
	return re.SubexpNames()
}

func fields(o *Options) []drivers.Field {
	var fields []drivers.Field
	for _, name := range o.names() {
		if name != "" {
			f := o.Fields[name]
			fields = append(fields, drivers.Field{Name: name, Unit: f.Unit, Kind: kinds()[f.Type], Range: drivers.AnyNumber(), Doc: "from the line"})
		}
	}
	return fields
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	from := "columns"
	switch {
	case o.Pattern == "" && o.Columns == nil:
		wrong(true, "pattern", "set it or columns: nothing says what the lines look like")
	case o.Pattern != "" && o.Columns != nil:
		wrong(true, "columns", "set either this or pattern")
	case o.Pattern != "":
		from = "pattern"
		_, err := regexp.Compile(o.Pattern)
		wrong(err != nil, "pattern", "%v", err)
	}
	names := slices.DeleteFunc(slices.Clone(o.names()), func(name string) bool { return name == "" })
	wrong(len(errs) == 0 && len(names) == 0, from, "it names no field; a group of a pattern is named so: (?P<temperature>[0-9.]+)")
	for i, name := range names {
		wrong(!drivers.IsFieldName(name), from, "%q is not a lower-case name such as %q", name, "flow_rate")
		wrong(slices.Contains(names[:i], name), from, "%q is there twice", name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fields)) {
		wrong(!slices.Contains(names, name), "fields."+name, "%s does not name it; it names %s", from, strings.Join(names, ", "))
		_, ok := kinds()[o.Fields[name].Type]
		wrong(!ok, "fields."+name+".type", "%q is none of float, int, bool, string", o.Fields[name].Type)
	}
	wrong(o.Columns != nil && o.Separator == "", "separator", "it is empty")
	wrong(o.Baud < 50 || o.Baud > 4_000_000, "baud", "%d; want 50 to 4000000", o.Baud)
	wrong(o.DataBits < 5 || o.DataBits > 8, "data_bits", "%d; want 5 to 8", o.DataBits)
	wrong(!slices.Contains([]string{"none", "odd", "even"}, o.Parity), "parity", "%q; want none, odd or even", o.Parity)
	wrong(o.StopBits != 1 && o.StopBits != 2, "stop_bits", "%d; want 1 or 2", o.StopBits)
	wrong(o.MaxLine < 1 || o.MaxLine > 65536, "max_line", "%d bytes; want 1 to 65536", o.MaxLine)
	return errors.Join(errs...)
}
