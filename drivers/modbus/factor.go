package modbus

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// maxExponent is the greatest exponent of a scale factor, and -maxExponent the least: the sunssf of
// the SunSpec Information Model Specification.
const maxExponent = 10

// A factor is where the scale factor of an entry comes from, and what it was last.
type factor struct {
	block, at int    // which register of which block
	exponent  int    // of ten, as line has it
	known     bool   // line has it
	missing   string // why the last reading had none; "" if it had one
}

// checkScaleRegister returns what is wrong with an entry's scale register.
func (e *entry) checkScaleRegister() error {
	switch at := e.ScaleRegister; {
	case at == nil:
		return nil
	case !e.class.whole() && e.class != bcdClass:
		return fmt.Errorf("a %s has none: only integers and BCD have", e.Type)
	case *at < 0 || *at > 65535:
		return fmt.Errorf("%d; addresses are from 0 to 65535", *at)
	case *at >= e.Address && *at < e.Address+e.size:
		return fmt.Errorf("%d is one of the value's own registers (%s)", *at, place(e.table, e.Address, e.size))
	}
	return nil
}

// factorOf brings the scale of an entry with a factor up to date after a reading. It returns why
// that is not possible; "" if it is.
func (d *dev) factorOf(e *entry) (missing string) {
	b := &d.blocks[e.factor.block]
	e.factor.missing = b.refused
	if b.refused == "" {
		e.takeFactor(b.data[2*e.factor.at:])
	}
	return e.factor.missing
}

// takeFactor sets the entry's scale by its factor's register, as it is on the line.
func (e *entry) takeFactor(register []byte) {
	raw := binary.BigEndian.Uint16(register)
	if e.ByteOrder == "little" {
		raw = binary.LittleEndian.Uint16(register)
	}
	exponent := int(int16(raw))
	f := &e.factor
	f.missing = ""
	switch {
	case raw == 0x8000: // sunssf: not implemented
		f.missing = notMeasured
	case exponent < -maxExponent || exponent > maxExponent:
		f.missing = "scale factor"
	case !f.known || exponent != f.exponent:
		scale := drivers.NewLinear(e.Scale, 0).Apply(math.Pow10(exponent))
		e.line = drivers.NewLinear(scale, e.Offset)
		f.known, f.exponent = true, exponent
	}
}

// readFactor reads the device, and with it the factor of an entry that is to be written.
func (w writer) readFactor(ctx context.Context, e *entry) error {
	if _, err := w.Read(ctx); err != nil {
		return fmt.Errorf("before writing %s: %w", e.Field, err)
	}
	if e.factor.missing != "" {
		return fmt.Errorf("%s%s cannot be written: its scale factor (%s) is not known: %s", w.title(), e.Field, place(e.table, *e.ScaleRegister, 1), e.factor.missing)
	}
	return nil
}
