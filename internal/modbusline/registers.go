package modbusline

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus"
)

// A Word is a register that was read, or a bit of a table of bits, with what it can mean.
type Word struct {
	Address int    `json:"address"`
	Hex     string `json:"hex,omitempty"`
	Value   any    `json:"value,omitempty"` // of the type that was asked for, in the first of its registers
	Bit     *bool  `json:"bit,omitempty"`
	// with the following register, if there is one
	Uint16  *uint16  `json:"uint16,omitempty"`
	Int16   *int16   `json:"int16,omitempty"`
	Uint32  *uint32  `json:"uint32,omitempty"`
	Float32 *float64 `json:"float32,omitempty"`
	Swapped *float64 `json:"float32_little,omitempty"` // with word_order = "little"
	Text    string   `json:"text,omitempty"`           // its two characters, if both can be printed
}

// Read reads count registers, or bits, from an address on. If r has a type, Value is set; otherwise
// what the registers can mean is. A count of 0 is what one value takes.
func (d *Device) Read(ctx context.Context, buses drivers.Buses, r modbus.Register, count int) (words []Word, err error) {
	bits := r.Table == "coil" || r.Table == "discrete"
	size := max(r.Size(), 1)
	if r.Type == "string" {
		if count == 0 {
			count = 1
		}
		size, r.Length = count, count
	}
	if count == 0 {
		count = size
	}
	if r.Type != "" && count%size != 0 {
		return nil, mistake("a %s has %d registers, of which %d are not a multiple", r.Type, size, count)
	}
	if count < 1 || count > 65536 {
		return nil, mistake("%d registers; want 1 to 65536", count)
	}
	var registers []modbus.Register
	for i := range count { // as they are on the line
		registers = append(registers, modbus.Register{Field: fmt.Sprintf("r%d", i), Table: r.Table, Address: r.Address + i})
	}
	if r.Type != "" && !bits {
		for i := 0; i < count; i += size {
			v := r
			v.Field, v.Address = fmt.Sprintf("v%d", i), r.Address+i
			registers = append(registers, v)
		}
	}
	driver, err := d.open(ctx, buses, registers)
	if err != nil {
		return nil, err
	}
	defer closing(driver, &err)
	values, err := driver.Read(ctx)
	if err != nil {
		return nil, err
	}
	for i, v := range values[:count] {
		switch {
		case v.Kind() == drivers.KindBad:
			return nil, fmt.Errorf("register %d: %s", r.Address+i, v.Reason())
		case bits:
			on := v.Bool()
			words = append(words, Word{Address: r.Address + i, Bit: &on})
		default:
			words = append(words, Word{Address: r.Address + i, Hex: fmt.Sprintf("%04x", v.Int())})
		}
	}
	switch {
	case bits:
	case r.Type != "":
		for i, v := range values[count:] {
			if words[i*size].Value = v.Any(); v.Kind() == drivers.KindBad {
				words[i*size].Value = "– (" + v.Reason() + ")"
			}
		}
	default:
		interpret(words, values[:count])
	}
	return words, nil
}

// interpret sets what registers can mean.
func interpret(words []Word, values []drivers.Value) {
	var line []byte
	for _, v := range values {
		line = binary.BigEndian.AppendUint16(line, uint16(v.Int()))
	}
	as := func(i int, r modbus.Register) drivers.Value { return r.Interpret(line[2*i : 2*(i+r.Size())]) }
	for i := range words {
		w := &words[i]
		u, s := uint16(as(i, modbus.Register{}).Int()), int16(as(i, modbus.Register{Type: "int16"}).Int())
		w.Uint16, w.Int16 = &u, &s
		if text := as(i, modbus.Register{Type: "string", Length: 1}); text.Kind() == drivers.KindString && printable(text.Text()) {
			w.Text = text.Text()
		}
		if i+1 == len(words) {
			continue
		}
		long := uint32(as(i, modbus.Register{Type: "uint32"}).Int())
		w.Uint32 = &long
		w.Float32 = plausible(as(i, modbus.Register{Type: "float32"}))
		w.Swapped = plausible(as(i, modbus.Register{Type: "float32", WordOrder: "little"}))
	}
}

func printable(s string) bool {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(s) == 2
}

// plausible returns a number that somebody may have measured, nil for others.
func plausible(v drivers.Value) *float64 {
	f := math.Abs(v.Float())
	if v.Kind() != drivers.KindFloat || f != 0 && (f < 1e-6 || f > 1e12) {
		return nil
	}
	f = v.Float()
	return &f
}

// A Change is a register before and after it was written.
type Change struct {
	Before any `json:"before"`
	After  any `json:"after"`
}

// Write reads a register, asks confirm about its value, writes another and reads that back. If
// confirm returns an error nothing is written.
func (d *Device) Write(ctx context.Context, buses drivers.Buses, r modbus.Register, text string, confirm func(before any) error) (c Change, err error) {
	r.Field, r.Writable = "value", true
	driver, err := d.open(ctx, buses, []modbus.Register{r})
	if err != nil {
		return c, err
	}
	defer closing(driver, &err)
	value, err := parse(d.fieldOf(r), text)
	if err != nil {
		return c, err
	}
	if c.Before, err = readOne(ctx, driver); err != nil {
		return c, err
	}
	if err := confirm(c.Before); err != nil {
		return c, err
	}
	if err := driver.(drivers.Writer).Write(ctx, value); err != nil {
		return c, err
	}
	if c.After, err = readOne(ctx, driver); err != nil {
		return c, fmt.Errorf("it was written, but reading it back: %w", err)
	}
	return c, nil
}

func readOne(ctx context.Context, d drivers.Driver) (any, error) {
	values, err := d.Read(ctx)
	if err != nil {
		return nil, err
	}
	if v := values[0]; v.Kind() != drivers.KindBad {
		return v.Any(), nil
	}
	return nil, nil
}

func (d *Device) fieldOf(r modbus.Register) drivers.Field {
	return d.Spec.Fields(d.with(r))[0]
}

// parse makes a value of a field of a text.
func parse(f drivers.Field, text string) (drivers.Value, error) {
	switch f.Kind {
	case drivers.KindBool:
		switch strings.ToLower(text) {
		case "true", "on", "1":
			return drivers.Bool(f.Name, true), nil
		case "false", "off", "0":
			return drivers.Bool(f.Name, false), nil
		}
		return drivers.Value{}, mistake("%q; want true or false, on or off, 1 or 0", text)
	case drivers.KindInt:
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return drivers.Value{}, mistake("%q is not a whole number such as 21 or 0x15", text)
		}
		return drivers.Int(f.Name, n), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return drivers.Value{}, mistake("%q is not a number such as 21.5", text)
	}
	return drivers.Float(f.Name, n), nil
}
