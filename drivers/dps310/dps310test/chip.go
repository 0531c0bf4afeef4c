// Package dps310test has a model of the DPS310 that behaves as its registers do: for tests of the
// driver, and for anything that can put a model behind a bus.
package dps310test

import (
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus, with the coefficients and raw results of a real one,
// which are those of QEMU's model too.
type Chip struct {
	RawTemperature int32 // of one measurement, by 524288
	RawPressure    int32 // of one measurement, by 524288
	Busy           int   // how many looks find a measurement under way beyond its time
	Hot            bool  // it needs the cure
	Cured          bool  // it had it
	ID             byte
	// it has no id, is always ready, and keeps all bits that are written to the flags
	QEMU bool

	mu        sync.Mutex // held by Transfer and LosePower
	regs      [256]byte
	registers chiptest.Registers
	start     time.Time // of the chip
	running   byte
	ready     time.Time
	unlock    [2]byte
}

// New returns a chip as it is after power-up, at 24.74 °C and 92,947 Pa.
func New() *Chip {
	c := &Chip{RawTemperature: 0x0269a6, RawPressure: -0x01d012, ID: 0x10}
	c.LosePower()
	return c
}

// LosePower switches the chip off and on.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() {
	c.regs, c.start, c.running, c.Cured = [256]byte{}, time.Now(), 0, false
	copy(c.regs[:], []byte{0x80, 0, 0, 0x80, 0, 0})
	copy(c.regs[0x10:], []byte{0x0e, 0x1e, 0xdd, 0x13, 0xca, 0x5f, 0x21, 0x52, 0xf9, 0xc6, 0x04, 0xd1, 0xdb, 0x47, 0x00, 0x5b, 0xfb, 0x3a})
	c.regs[0x28] = 0x90
	c.regs[0x32] = 0x02
	c.regs[0x08] = 0xC0
	if c.Hot {
		c.regs[0x32] = 0
	}
	if c.QEMU {
		c.regs[0x08] = 0xF0
		c.result(0, c.RawPressure)
		c.result(3, c.RawTemperature)
	}
}

// result puts a raw value into registers.
func (c *Chip) result(reg int, v int32) {
	copy(c.regs[reg:], []byte{byte(v >> 16), byte(v >> 8), byte(v)})
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	return c.registers.Transfer(w, r,
		func(reg byte, b []byte) bool {
			if len(b) == 1 {
				c.write(reg, b[0])
			}
			return len(b) == 1
		},
		func(reg byte, b []byte) {
			for i := range b {
				b[i] = c.read(reg + byte(i))
			}
		})
}

func (c *Chip) read(reg byte) byte {
	switch {
	case reg == 0x0D && c.QEMU:
		return 0xFF
	case reg == 0x0D:
		return c.ID
	case reg == 0x08 && !c.QEMU && time.Since(c.start) < 40*time.Millisecond:
		return c.regs[reg] &^ 0xC0
	case reg >= 0x10 && reg < 0x22 && !c.QEMU && time.Since(c.start) < 40*time.Millisecond:
		return 0
	}
	v := c.regs[reg]
	switch { // reading the results clears their flags
	case reg == 0x02 && !c.QEMU:
		c.regs[0x08] &^= 0x10
	case reg == 0x05 && !c.QEMU:
		c.regs[0x08] &^= 0x20
	}
	return v
}

func (c *Chip) write(reg, v byte) {
	switch reg {
	case 0x06, 0x07, 0x09:
		c.regs[reg] = v
	case 0x08:
		if c.QEMU {
			c.regs[reg] = v
			return
		}
		c.regs[reg] = c.regs[reg]&0xF0 | v&7
		if c.running = v & 7; c.running == 1 || c.running == 2 {
			c.ready = time.Now().Add(2*time.Millisecond + 1600*time.Microsecond<<(c.regs[5+c.running]&7))
		}
	case 0x0C:
		if v == 0x89 && !c.QEMU {
			c.reset()
		}
	case 0x0E:
		c.unlock[0] = v
	case 0x0F:
		c.unlock[1] = v
	case 0x62:
		c.Cured = c.Cured || v == 2 && c.unlock == [2]byte{0xA5, 0x96}
	}
}

// advance ends a measurement whose time is over. More than eight are summed beyond the register,
// unless it is shifted.
func (c *Chip) advance() {
	if c.running != 1 && c.running != 2 || time.Now().Before(c.ready) {
		return
	}
	if c.Busy > 0 {
		c.Busy--
		return
	}
	scales := []int64{524288, 1572864, 3670016, 7864320, 253952, 516096, 1040384, 2088960}
	raw := func(v int32, cfg byte) int32 { return int32(int64(v) * scales[cfg&7] / 524288) }
	if c.running == 1 {
		v := raw(c.RawPressure, c.regs[6])
		if c.regs[6]&7 > 3 && c.regs[9]&0x04 == 0 {
			v = 0 // nonsense
		}
		c.result(0, v)
		c.regs[8] |= 0x10
	} else {
		v := raw(c.RawTemperature, c.regs[7])
		if c.Hot && !c.Cured || c.regs[7]&0x80 != c.regs[0x28]&0x80 {
			v = -v // another thermometer than that of the coefficients, or the fault
		}
		c.result(3, v)
		c.regs[8] |= 0x20
	}
	c.running = 0
	c.regs[8] &^= 7
}
