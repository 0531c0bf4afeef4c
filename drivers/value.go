package drivers

import (
	"fmt"
	"math"
)

// A Kind is the type of a Value.
type Kind uint8

const (
	KindBad    Kind = iota // could not be measured
	KindFloat              // finite float64
	KindInt                // int64
	KindBool               // bool
	KindString             // UTF-8 text
)

// String returns the name that descriptions use: "float", "int", "bool", "string", and "bad".
func (k Kind) String() string {
	switch k {
	case KindFloat:
		return "float"
	case KindInt:
		return "int"
	case KindBool:
		return "bool"
	case KindString:
		return "string"
	}
	return "bad"
}

// A Value is one field of one measurement: a number, a bool, a text, or the reason why there is
// none. Float, Int, Bool, String and Bad make one, without allocating. The zero value is Bad,
// without a reason.
type Value struct {
	Field string // lower-case snake case, unique within a sensor
	kind  Kind
	num   uint64
	text  string
}

// maxFieldName bounds the name of a field, which is in every message.
const maxFieldName = 64

// IsFieldName reports whether a name can be that of a field: lower-case snake case, of at most 64
// bytes.
func IsFieldName(name string) bool {
	if name == "" || len(name) > maxFieldName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Float returns a Value of kind float. A number that is not finite cannot be written in JSON: it
// becomes Bad(field, "range").
func Float(field string, v float64) Value {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Bad(field, "range")
	}
	return Value{Field: field, kind: KindFloat, num: math.Float64bits(v)}
}

// Int returns a Value of kind int.
func Int(field string, v int64) Value { return Value{Field: field, kind: KindInt, num: uint64(v)} }

// Bool returns a Value of kind bool.
func Bool(field string, v bool) Value {
	b := Value{Field: field, kind: KindBool}
	if v {
		b.num = 1
	}
	return b
}

// String returns a Value of kind string.
func String(field, v string) Value { return Value{Field: field, kind: KindString, text: v} }

// Bad returns the Value of a field that could not be measured. reason is one or two lower-case
// words ("crc", "range", "not measured"). In a reading the field is sent as null and listed in
// "bad".
func Bad(field, reason string) Value { return Value{Field: field, kind: KindBad, text: reason} }

// Kind returns the kind, which says whether Float, Int, Bool, Text or Reason applies.
func (v Value) Kind() Kind { return v.kind }

// Float returns the number of a float, and of an int as a float64; 0 for other kinds.
func (v Value) Float() float64 {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num)
	case KindInt:
		return float64(int64(v.num))
	}
	return 0
}

// Int returns the number of an int; 0 for other kinds.
func (v Value) Int() int64 {
	if v.kind != KindInt {
		return 0
	}
	return int64(v.num)
}

// Bool returns the value of a bool; false for other kinds.
func (v Value) Bool() bool { return v.kind == KindBool && v.num != 0 }

// Text returns the text of a string; "" for other kinds.
func (v Value) Text() string {
	if v.kind != KindString {
		return ""
	}
	return v.text
}

// Reason returns why a bad field could not be measured; "" for other kinds.
func (v Value) Reason() string {
	if v.kind != KindBad {
		return ""
	}
	return v.text
}

// Any returns the value as float64, int64, bool, string, or nil for a bad one.
func (v Value) Any() any {
	switch v.kind {
	case KindFloat:
		return v.Float()
	case KindInt:
		return v.Int()
	case KindBool:
		return v.Bool()
	case KindString:
		return v.text
	}
	return nil
}

// GoString shows the value in test failures.
func (v Value) GoString() string {
	if v.kind == KindBad {
		return fmt.Sprintf("%s=bad(%s)", v.Field, v.text)
	}
	return fmt.Sprintf("%s=%v(%s)", v.Field, v.Any(), v.kind)
}
