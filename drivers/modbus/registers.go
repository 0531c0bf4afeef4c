package modbus

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aldas/go-modbus-client/packet"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Register says what a register, several in a row, a part of one, a coil or a discrete input
// means.
type Register struct {
	Field         string    `toml:"field" doc:"the field's name"`
	Table         string    `toml:"table" doc:"holding (default), input, coil or discrete"`
	Address       int       `toml:"address" doc:"as in the protocol, 0 to 65535: what a manual calls 40001 is holding register 0"`
	Type          string    `toml:"type" doc:"uint16 (default), int16, uint32, int32, uint64, int64, float32, float64, uint8 or int8 (the low half of a register, with bits = [8, 15] the high one), bcd16 or bcd32 (four bits a digit, for old meters and clocks), string or bool; coils and discrete inputs are bool"`
	Bit           int       `toml:"bit" doc:"of a bool in a register, 0 (lowest) to 15"`
	Bits          []int     `toml:"bits" doc:"the lowest and the highest bit of a part of a whole number, both included, such as [8, 15]; for charge controllers and heat pumps, which pack states into one register"`
	Length        int       `toml:"length" doc:"of a string, in registers"`
	Characters    string    `toml:"characters" doc:"of a string: both (default), two in a register; low or high, one in that half of each, for inverters and PLCs that leave the other half empty"`
	ByteOrder     string    `toml:"byte_order" doc:"big or little within a register; default the device's"`
	WordOrder     string    `toml:"word_order" doc:"big or little: which register of several comes first; default the device's"`
	Invalid       []float64 `toml:"invalid" doc:"raw numbers, as the registers have them, with which the device says that it has no value: the field is Bad then; instead of the device's invalid. The bits count: 0x8000 and -32768 are the same; 64 ones are -1"`
	Scale         float64   `toml:"scale" doc:"the number is multiplied by this; default 1"`
	ScaleRegister *int      `toml:"scale_register" doc:"address, in the same table, of an int16 from -10 to 10: the number is multiplied by ten to the power of it too; for SunSpec devices, which change the factor while they run"`
	Offset        float64   `toml:"offset" doc:"added after that"`
	Models        []int     `toml:"models" doc:"of a SunSpec device: the register is in the first of these models that the device has; address and scale_register count from the beginning of the model, whose number is at 0 and whose length is at 1. One field may have several registers then, in different models"`
	Unit          string    `toml:"unit" doc:"a SenML symbol such as V, W or Cel; default none"`
	Writable      bool      `toml:"writable" doc:"the field may be written: coils, and whole holding registers that are numbers; not a part of a register, whose other bits would be overwritten"`
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
	class class
	size  int // registers, or bits
	kind  drivers.Kind
	line  drivers.Linear // Scale and Offset, and the factor of ScaleRegister

	missing    bool   // the device has none of its models
	low, width int    // the bits that are the value, of a whole number
	absent     absent // the numbers that mean no value
	factor     factor // of ScaleRegister
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
	switch {
	case e.class == boolClass && !e.table.bits():
		s += fmt.Sprintf(" bit %d", e.Bit)
	case e.part():
		s += fmt.Sprintf(" bits %d to %d", e.low, e.low+e.width-1)
	}
	return s
}

// part reports whether an entry is a whole number in some bits of its registers.
func (e *entry) part() bool { return e.class.whole() && e.width < 16*e.size }

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
		e.Characters = cmp.Or(r.Characters, "both")
		e.Scale = cmp.Or(r.Scale, 1)
		e.line = drivers.NewLinear(e.Scale, e.Offset)
		f := formOf(e.Type)
		e.class, e.size, e.width = f.class, f.size, f.bits
		if r.Bits != nil && e.checkBits() == nil {
			e.low, e.width = r.Bits[0], r.Bits[1]-r.Bits[0]+1
		}
		switch e.class {
		case textClass:
			e.size, e.kind = r.Length, drivers.KindString
		case boolClass:
			e.kind = drivers.KindBool
		case floatClass:
			e.kind = drivers.KindFloat
		default:
			e.kind = drivers.KindInt
			if e.Scale != 1 || e.Offset != 0 || e.ScaleRegister != nil {
				e.kind = drivers.KindFloat
			}
		}
		e.absent = absentOf(&e, s.invalid)
		all[i] = e
	}
	return all
}

func orderOK(s string) bool { return s == "big" || s == "little" }

// The most that one request may ask for.
const (
	maxRegisters = int(packet.MaxRegistersInReadResponse)
	maxBits      = int(packet.MaxCoilsInReadResponse)
)
