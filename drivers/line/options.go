package line

import (
	"maps"
	"regexp"
	"slices"

	"github.com/fieldgate/fieldgate/drivers"
)

// Options are what the configuration may set. One of Pattern, Columns and the format json has to
// be.
type Options struct {
	Format    string          `toml:"format" doc:"text, or json if each line is a JSON value: rtl_433, Tasmota, scripts"`
	Pattern   string          `toml:"pattern" doc:"regular expression (RE2) with a named group for each field: '^T=(?P<temperature>\\S+)'"`
	Columns   []string        `toml:"columns" doc:"the field in each column; an empty string passes a column over"`
	Separator string          `toml:"separator" doc:"what is between columns"`
	Match     map[string]Word `toml:"match" doc:"json: take only lines with these values at these paths, if several devices share a stream (rtl_433 also prints the neighbours'): { model = \"Acurite-Tower\", id = 1234 }"`

	Fields map[string]Field `toml:"fields" doc:"types and units of fields that are not plain floats; with json, all fields"`

	Decimal   string `toml:"decimal" doc:"the decimal mark: \".\", or \",\" for devices that print 21,5 and 1.234,5 (European meters, scales, exported tables)"`
	Invalid   []Word `toml:"invalid" doc:"numbers and texts with which the device says that it has no value, such as [-999, \"----\"]: the field is Bad then"`
	Encoding  string `toml:"encoding" doc:"utf-8, or latin-1 for older devices, whose ° is the byte 0xb0; it applies to send and line_end too"`
	LineEnd   string `toml:"line_end" doc:"what a line ends with, for devices that do not use CR or LF: \";\", \"\\u0003\" (ETX of scales and balances), or \"\\r\" if an LF is part of the line; default CR, LF or both"`
	RecordEnd string `toml:"record_end" doc:"regular expression that finds the last line of a record, for devices that print a reading on several lines: '^----' (Arduino), '^!' (telegrams of meters), '^$' (an empty line); pattern then sees the whole record, its lines joined by \\n"`
	Send      string `toml:"send" doc:"what is written before each reading, for devices that speak only when asked (balances, laboratory instruments), such as \"S\\r\\n\""`

	Baud     int    `toml:"baud" doc:"bits per second, 50 to 4000000"`
	DataBits int    `toml:"data_bits" doc:"5 to 8"`
	Parity   string `toml:"parity" doc:"none, odd or even"`
	StopBits int    `toml:"stop_bits" doc:"1 or 2"`

	MaxLine   int  `toml:"max_line" doc:"longest line or record in bytes, 1 to 65536; longer ones are passed over"`
	EveryLine bool `toml:"every_line" doc:"return every line in turn instead of the newest, for use with every = \"0s\""`
}

// A Field says what a group, a column or a value in JSON is.
type Field struct {
	Type    string `toml:"type" doc:"float (default), int, bool or string"`
	Unit    string `toml:"unit" doc:"a SenML symbol such as Cel or %RH; default none"`
	Path    string `toml:"path" doc:"json: where the value is: \"temperature_C\", \"DS18B20.Temperature\", \"values[0]\"; a backslash before a dot or bracket that is part of a name; default the field's name"`
	Invalid []Word `toml:"invalid" doc:"as invalid above, for this field only"`
}

// A Word is a text that the configuration may also write as a number or as true or false.
type Word string

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Word) UnmarshalText(text []byte) error { *w = Word(text); return nil }

const (
	formatText = "text"
	formatJSON = "json"
	utf8Text   = "utf-8"
	latin1Text = "latin-1"
)

// Spec is the driver's entry in the table.
var Spec = drivers.Serial("line", "any device that writes lines of text: a regular expression, columns or JSON",
	Options{
		Format: formatText, Separator: ",", Decimal: ".", Encoding: utf8Text,
		Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1, MaxLine: 4096,
	}, fields, mode, Open)

func mode(o *Options) drivers.SerialMode {
	return drivers.SerialMode{Baud: o.Baud, DataBits: o.DataBits, Parity: o.Parity, StopBits: o.StopBits}
}

// kinds are the types that a field may have.
func kinds() map[string]drivers.Kind {
	return map[string]drivers.Kind{
		"": drivers.KindFloat, "float": drivers.KindFloat, "int": drivers.KindInt, "bool": drivers.KindBool, "string": drivers.KindString,
	}
}

// from returns the option that says what the fields are.
func (o *Options) from() string {
	switch {
	case o.Format == formatJSON:
		return "fields"
	case o.Pattern != "":
		return "pattern"
	}
	return "columns"
}

// names returns the names of the fields in the order of the groups or columns, "" for those that
// are none, and in that of the alphabet with json. Only a pattern that can be compiled has names.
func (o *Options) names() []string {
	switch o.from() {
	case "fields":
		return slices.Sorted(maps.Keys(o.Fields))
	case "columns":
		return o.Columns
	}
	re, err := regexp.Compile(o.Pattern)
	if err != nil {
		return nil
	}
	return re.SubexpNames()
}

// path returns where the value of a field is in JSON.
func (o *Options) path(name string) string {
	if p := o.Fields[name].Path; p != "" {
		return p
	}
	return name
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
