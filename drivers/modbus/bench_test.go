package modbus

import (
	"os"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// A benchPort answers everything at once with the same: what remains is the driver's own work.
type benchPort struct {
	answer []byte
	rest   []byte
}

func (p *benchPort) SetReadTimeout(time.Duration) error { return nil }

func (p *benchPort) Write(b []byte) (int, error) {
	p.rest = p.answer
	return len(b), nil
}

func (p *benchPort) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// One reading of 125 registers, without the time on the line.
func BenchmarkRead125Registers(b *testing.B) {
	o := SpecRTU.Options().(*RTU)
	o.Registers, o.Gap = row(125, Register{}), 1
	port := &benchPort{answer: modbustest.Frame(append([]byte{1, 3, 250}, make([]byte, 250)...)...)}
	d, err := OpenRTU(b.Context(), port, *o)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
