package modbus

import "strings"

// A class is how the bits of a type are a value.
type class uint8

const (
	unknownClass class = iota
	unsignedClass
	signedClass
	bcdClass
	floatClass
	textClass
	boolClass
)

// A form is what a type is on the line.
type form struct {
	name  string
	size  int // registers; 0 for a string, whose length is an option
	bits  int // that are the value
	class class
}

func forms() []form {
	return []form{
		{"uint16", 1, 16, unsignedClass},
		{"int16", 1, 16, signedClass},
		{"uint32", 2, 32, unsignedClass},
		{"int32", 2, 32, signedClass},
		{"uint64", 4, 64, unsignedClass},
		{"int64", 4, 64, signedClass},
		{"uint8", 1, 8, unsignedClass},
		{"int8", 1, 8, signedClass},
		{"bcd16", 1, 16, bcdClass},
		{"bcd32", 2, 32, bcdClass},
		{"float32", 2, 32, floatClass},
		{"float64", 4, 64, floatClass},
		{"string", 0, 0, textClass},
		{"bool", 1, 1, boolClass},
	}
}

// formOf returns the form of a type; its class is unknownClass if there is none of that name.
func formOf(name string) form {
	for _, f := range forms() {
		if f.name == name {
			return f
		}
	}
	return form{name: name}
}

func typeNames() string {
	var names []string
	for _, f := range forms() {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// whole reports whether values of the class are whole numbers of which bits can be chosen.
func (c class) whole() bool { return c == unsignedClass || c == signedClass }

// number reports whether values of the class are numbers.
func (c class) number() bool { return c.whole() || c == bcdClass || c == floatClass }
