// Package chiptest has what models of chips with registers share.
package chiptest

import "fmt"

// Registers is how a chip with registers understands its transfers: the first byte that is written
// is the number of a register, which stays for transfers that only read; what is written after it
// goes there, and what is read comes from there on. The zero value is a chip after power-up, which
// is at register 0.
type Registers struct{ number byte }

// Transfer is that of drivertest.Chip. write is given what was written after the number, and
// returns false if the chip has no such register, or one of another size; read fills b.
func (g *Registers) Transfer(w, r []byte, write func(register byte, b []byte) bool, read func(register byte, b []byte)) error {
	if len(w) > 0 {
		g.number = w[0]
	}
	if len(w) > 1 && !write(g.number, w[1:]) {
		return fmt.Errorf("the model does not know a write of % x", w)
	}
	if len(r) > 0 {
		read(g.number, r)
	}
	return nil
}

// Pairs understands a write as chips of Bosch do: the value of the register, and then further pairs
// of register and value. It is false where half a pair is left.
func Pairs(register byte, b []byte, write func(register, v byte)) bool {
	if len(b)%2 == 0 {
		return false
	}
	write(register, b[0])
	for i := 1; i < len(b); i += 2 {
		write(b[i], b[i+1])
	}
	return true
}
