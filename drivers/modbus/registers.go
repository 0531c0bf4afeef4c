package modbus

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aldas/go-modbus-client/packet"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Register says what a register, several in a row, a bit of one, a coil or a discrete input
// means.
type Register struct {
	Field     string  `toml:"field" doc:"the field's name"`
	Table     string  `toml:"table" doc:"holding (default), input, coil or discrete"`
	Address   int     `toml:"address" doc:"as in the protocol, 0 to 65535: what a manual calls 40001 is holding register 0"`
	Type      string  `toml:"type" doc:"uint16 (default), int16, uint32, int32, uint64, int64, float32, float64, string or bool; coils and discrete inputs are bool"`
	Bit       int     `toml:"bit" doc:"of a bool in a register, 0 (lowest) to 15"`
	Length    int     `toml:"length" doc:"of a string, in registers of two characters"`
	ByteOrder string  `toml:"byte_order" doc:"big or little within a register; default the device's"`
	WordOrder string  `toml:"word_order" doc:"big or little: which register of several comes first; default the device's"`
	Scale     float64 `toml:"scale" doc:"the number is multiplied by this; default 1"`
	Offset    float64 `toml:"offset" doc:"added after that"`
	Unit      string  `toml:"unit" doc:"a SenML symbol such as V, W or Cel; default none"`
	Writable  bool    `toml:"writable" doc:"the field may be written: coils, and whole holding registers that are numbers"`
}

// A table is one of the four address spaces of a device.
type table uint8

const (
	holding table = iota
	input
	coil
	discrete
)

func tables() []string { return []string{"holding", "input", "coil", "discrete"} }

// String returns what messages call one of its entries.
func (t table) String() string {
	return [...]string{"holding register", "input register", "coil", "discrete input"}[t]
}

// bits reports whether an entry is a bit.
func (t table) bits() bool { return t == coil || t == discrete }

// An entry is a Register with its defaults filled in.
type entry struct {
	Register
	table table
	size  int // registers, or bits
	kind  drivers.Kind
	line  drivers.Linear // Scale and Offset
}

// sizes are the numbers of registers of the types.
func sizes() map[string]int {
	return map[string]int{
		"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "uint64": 4, "int64": 4, "float32": 2, "float64": 4, "string": 0, "bool": 1,
	}
}

// place names the registers for messages: "holding registers 100 to 101".
func place(t table, address, size int) string {
	if size == 1 {
		return fmt.Sprintf("%s %d", t, address)
	}
	return fmt.Sprintf("%ss %d to %d", t, address, address+size-1)
}

func (e *entry) place() string {
	s := place(e.table, e.Address, e.size)
	if e.Type == "bool" && !e.table.bits() {
		s += fmt.Sprintf(" bit %d", e.Bit)
	}
	return s
}

// entries fills in the defaults. Of a wrong map it makes something wrong, but does not panic: Check
// has reported that.
func (s *settings) entries() []entry {
	all := make([]entry, len(s.registers))
	for i, r := range s.registers {
		e := entry{Register: r, table: table(max(0, slices.Index(tables(), r.Table)))}
		if e.Type == "" {
			e.Type = "uint16"
			if e.table.bits() {
				e.Type = "bool"
			}
		}
		e.ByteOrder = cmp.Or(r.ByteOrder, s.byteOrder)
		e.WordOrder = cmp.Or(r.WordOrder, s.wordOrder)
		e.Scale = cmp.Or(r.Scale, 1)
		e.line = drivers.NewLinear(e.Scale, e.Offset)
		e.size = sizes()[e.Type]
		switch e.Type {
		case "string":
			e.size, e.kind = r.Length, drivers.KindString
		case "bool":
			e.kind = drivers.KindBool
		case "float32", "float64":
			e.kind = drivers.KindFloat
		default:
			e.kind = drivers.KindInt
			if e.Scale != 1 || e.Offset != 0 {
				e.kind = drivers.KindFloat
			}
		}
		all[i] = e
	}
	return all
}

// overlaps reports whether two entries take the same register in ways that exclude each other. Bits
// of a register may be fields beside the register as a whole.
func (e *entry) overlaps(f *entry) bool {
	if e.table != f.table || e.Address+e.size <= f.Address || f.Address+f.size <= e.Address {
		return false
	}
	bitE, bitF := e.Type == "bool" && !e.table.bits(), f.Type == "bool" && !f.table.bits()
	switch {
	case bitE && bitF:
		return e.Bit == f.Bit
	case bitE || bitF:
		return e.size != 1 || f.size != 1
	}
	return true
}

// checkRegisters reports every entry of the map that is impossible, or contradicts another.
func (s *settings) checkRegisters() error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	wrong(len(s.registers) == 0, "registers", "there are none: list those to read, each with its field and address")
	all := s.entries()
	for i := range all {
		e := &all[i]
		at := fmt.Sprintf("registers.%d", i)
		before := len(errs)
		size, known := sizes()[e.Type]
		number := known && e.Type != "string" && e.Type != "bool"
		wrong(!drivers.IsFieldName(e.Field), at+".field", "%q is not a lower-case name such as %q", e.Field, "active_power")
		wrong(e.Register.Table != "" && !slices.Contains(tables(), e.Register.Table), at+".table", "%q is none of %s", e.Register.Table, strings.Join(tables(), ", "))
		wrong(!known, at+".type", "%q is none of uint16, int16, uint32, int32, uint64, int64, float32, float64, string, bool", e.Type)
		wrong(e.table.bits() && e.Type != "bool", at+".type", "a %s is a bool, not a %s", e.table, e.Type)
		wrong(e.Bit < 0 || e.Bit > 15, at+".bit", "%d; want 0 to 15", e.Bit)
		wrong(e.Bit != 0 && (e.Type != "bool" || e.table.bits()), at+".bit", "only a bool in a register has one")
		wrong(e.Type == "string" && (e.Length < 1 || e.Length > s.maxRead), at+".length", "%d registers; want 1 to %d (max_read)", e.Length, s.maxRead)
		wrong(e.Type != "string" && e.Length != 0, at+".length", "only a string has one; a %s has %d registers", e.Type, size)
		wrong(size > s.maxRead, at+".type", "a %s has %d registers, and max_read allows %d in one request", e.Type, size, s.maxRead)
		wrong(e.Address < 0 || e.Address+max(e.size, 1) > 65536, at+".address", "%s: addresses are from 0 to 65535", e.place())
		wrong(!orderOK(e.ByteOrder), at+".byte_order", "%q; want big or little", e.ByteOrder)
		wrong(!orderOK(e.WordOrder), at+".word_order", "%q; want big or little", e.WordOrder)
		wrong(math.IsNaN(e.Scale) || math.IsInf(e.Scale, 0), at+".scale", "%v is not a finite number", e.Scale)
		wrong(math.IsNaN(e.Offset) || math.IsInf(e.Offset, 0), at+".offset", "%v is not a finite number", e.Offset)
		wrong(known && !number && (e.Scale != 1 || e.Offset != 0), at, "a %s has no scale and no offset", e.Type)
		wrong(e.Writable && (e.table == input || e.table == discrete), at+".writable", "a %s cannot be written", e.table)
		wrong(e.Writable && known && !number && e.table == holding, at+".writable", "only a whole holding register that is a number can be written, not a %s", e.Type)
		if len(errs) > before {
			continue
		}
		for j := range all[:i] {
			f := &all[j]
			switch {
			case e.Field == f.Field:
				wrong(true, at+".field", "%q is there twice: %s and %s", e.Field, f.place(), e.place())
			case e.overlaps(f):
				wrong(true, at, "%s (%s, %s) overlaps %s (%s, %s)", e.Field, e.place(), e.Type, f.Field, f.place(), f.Type)
			}
		}
	}
	return errors.Join(errs...)
}

func orderOK(s string) bool { return s == "big" || s == "little" }

// The most that one request may ask for.
const (
	maxRegisters = int(packet.MaxRegistersInReadResponse)
	maxBits      = int(packet.MaxCoilsInReadResponse)
)
