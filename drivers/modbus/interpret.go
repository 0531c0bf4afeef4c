package modbus

import "github.com/fieldgate/fieldgate/drivers"

// Size returns how many registers r takes, or bits of a table of bits; 0 if its type is unknown.
func (r Register) Size() int { return r.entry().size }

// Place names the registers: "holding registers 100 to 101".
func (r Register) Place() string {
	e := r.entry()
	return e.place()
}

// Interpret returns what Size registers, as they are on the line, mean as r says, which must pass
// Check on a device. Its table and address do not matter.
func (r Register) Interpret(data []byte) drivers.Value {
	e := r.entry()
	return e.value(data)
}

// entry is r on a device whose options are the defaults.
func (r Register) entry() entry {
	o := SpecTCP.Options().(*TCP)
	o.Registers = []Register{r}
	return o.settings().entries()[0]
}
