package modbus

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

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
		size, known := formOf(e.Type).size, e.class != unknownClass
		wrong(!drivers.IsFieldName(e.Field), at+".field", "%q is not a lower-case name such as %q", e.Field, "active_power")
		wrong(e.Register.Table != "" && !slices.Contains(tables(), e.Register.Table), at+".table", "%q is none of %s", e.Register.Table, strings.Join(tables(), ", "))
		wrong(!known, at+".type", "%q is none of %s", e.Type, typeNames())
		wrong(e.table.bits() && e.class != boolClass, at+".type", "a %s is a bool, not a %s", e.table, e.Type)
		wrong(e.Bit < 0 || e.Bit > 15, at+".bit", "%d; want 0 to 15", e.Bit)
		wrong(e.Bit != 0 && (e.class != boolClass || e.table.bits()), at+".bit", "only a bool in a register has one")
		wrong(e.class == textClass && (e.Length < 1 || e.Length > s.maxRead), at+".length", "%d registers; want 1 to %d (max_read)", e.Length, s.maxRead)
		wrong(e.class != textClass && e.Length != 0, at+".length", "only a string has one; a %s has %d registers", e.Type, size)
		wrong(!slices.Contains([]string{"both", "low", "high"}, e.Characters), at+".characters", "%q; want both, low or high", e.Characters)
		wrong(e.class != textClass && e.Register.Characters != "" && e.Characters != "both", at+".characters", "only a string has them")
		wrong(size > s.maxRead, at+".type", "a %s has %d registers, and max_read allows %d in one request", e.Type, size, s.maxRead)
		wrong(e.Models != nil && (e.table != holding || e.Address < 2), at+".models", "models are in holding registers, and begin with their number and length: want an address from 2")
		wrong(e.Models != nil && e.Writable, at+".writable", "a register of a model cannot be written")
		wrong(slices.ContainsFunc(e.Models, func(m int) bool { return m < 1 || m >= lastModel }), at+".models", "want numbers from 1 to %d", lastModel-1)
		wrong(e.Address < 0 || e.Address+max(e.size, 1) > 65536, at+".address", "%s: addresses are from 0 to 65535", place(e.table, e.Address, e.size))
		wrong(!orderOK(e.ByteOrder), at+".byte_order", "%q; want big or little", e.ByteOrder)
		wrong(!orderOK(e.WordOrder), at+".word_order", "%q; want big or little", e.WordOrder)
		wrong(math.IsNaN(e.Scale) || math.IsInf(e.Scale, 0), at+".scale", "%v is not a finite number", e.Scale)
		wrong(math.IsNaN(e.Offset) || math.IsInf(e.Offset, 0), at+".offset", "%v is not a finite number", e.Offset)
		wrong(known && !e.class.number() && (e.Scale != 1 || e.Offset != 0), at, "a %s has no scale and no offset", e.Type)
		wrong(e.Writable && (e.table == input || e.table == discrete), at+".writable", "a %s cannot be written", e.table)
		wrong(e.Writable && known && !e.class.number() && e.table == holding, at+".writable", "only a whole holding register that is a number can be written, not a %s", e.Type)
		if known {
			bits := e.checkBits()
			wrong(bits != nil, at+".bits", "%w", bits)
			wrong(e.Writable && bits == nil && e.part(), at+".writable", "a part of a register cannot be written: the other bits would be overwritten")
			factor := e.checkScaleRegister()
			wrong(factor != nil, at+".scale_register", "%w", factor)
			for _, err := range e.checkInvalid() {
				wrong(bits == nil, at+".invalid", "%w", err)
			}
		}
		if len(errs) > before {
			continue
		}
		for j := range all[:i] {
			f := &all[j]
			switch {
			case len(e.Models) > 0 && len(f.Models) > 0 && !slices.ContainsFunc(e.Models, func(m int) bool { return slices.Contains(f.Models, m) }):
			case e.Field == f.Field:
				wrong(true, at+".field", "%q is there twice: %s and %s", e.Field, f.place(), e.place())
			case e.same(f):
				wrong(true, at, "%s (%s, %s) is the same as %s: leave one out", e.Field, e.place(), e.Type, f.Field)
			case e.tears(f):
				wrong(true, at, "%s (%s, %s) overlaps %s (%s, %s) in part: one address or type is wrong", e.Field, e.place(), e.Type, f.Field, f.place(), f.Type)
			}
		}
	}
	return errors.Join(errs...)
}

// checkBits returns what is wrong with the bits of an entry.
func (e *entry) checkBits() error {
	f := formOf(e.Type)
	listed := strings.ReplaceAll(fmt.Sprint(e.Bits), " ", ", ") // as the configuration has it
	switch {
	case e.Bits == nil:
		return nil
	case e.class == boolClass && len(e.Bits) > 0 && !e.table.bits():
		return fmt.Errorf("a bool has none: write bit = %d", e.Bits[0])
	case !e.class.whole():
		return fmt.Errorf("a %s has none: only integers have", e.Type)
	case len(e.Bits) != 2:
		return fmt.Errorf("%s; want the lowest and the highest bit, such as [8, 15]", listed)
	case e.Bits[0] > e.Bits[1]:
		return fmt.Errorf("%s; want the lowest bit first: [%d, %d]", listed, e.Bits[1], e.Bits[0])
	case e.Bits[0] < 0 || e.Bits[1] >= 16*f.size:
		return fmt.Errorf("%s; a %s has bits 0 to %d", listed, e.Type, 16*f.size-1)
	case e.Bits[1]-e.Bits[0] >= f.bits:
		return fmt.Errorf("%s are %d bits; a %s has %d, such as [0, 7] or [8, 15]", listed, e.Bits[1]-e.Bits[0]+1, e.Type, f.bits)
	}
	return nil
}

// same reports whether two entries are the same reading of the same registers.
func (e *entry) same(f *entry) bool {
	return e.table == f.table && e.Address == f.Address && e.size == f.size && e.Type == f.Type && e.Bit == f.Bit &&
		e.low == f.low && e.width == f.width && e.Characters == f.Characters && e.ByteOrder == f.ByteOrder && e.WordOrder == f.WordOrder &&
		e.Scale == f.Scale && e.Offset == f.Offset && slices.Equal(e.Invalid, f.Invalid) &&
		(e.ScaleRegister == nil) == (f.ScaleRegister == nil) && (e.ScaleRegister == nil || *e.ScaleRegister == *f.ScaleRegister)
}

// tears reports whether two entries share some registers, and each has one that the other has not.
func (e *entry) tears(f *entry) bool {
	if f.Address < e.Address {
		e, f = f, e
	}
	return e.table == f.table && e.Address < f.Address && f.Address < e.Address+e.size && e.Address+e.size < f.Address+f.size
}
