// Package bme680test has a model of the BME680 and the BME688 that behaves as their registers do:
// for tests of the driver, and for whatever can put a model behind a bus.
package bme680test

import (
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus. Its results are raw values, which appear in the
// registers when a measurement has ended.
type Chip struct {
	Temperature int32
	Pressure    int32
	Humidity    uint16
	Gas         uint16 // 10 bits
	GasRange    byte
	Cold        bool // the heater does not get to its temperature
	Busy        int  // how many looks find a measurement under way beyond its time

	mu        sync.Mutex // held by Transfer and LosePower
	high      bool
	id        byte
	regs      [256]byte
	registers chiptest.Registers
	start     time.Time
	running   bool
	ready     time.Time
}

// NewBME680 returns a chip with 23.63 °C, 97,819 Pa, 46.21 %RH and 18,549 Ω by Bosch's program, as
// it is after power-up.
func NewBME680() *Chip {
	c := &Chip{Temperature: 492000, Pressure: 364000, Humidity: 21000, Gas: 300, GasRange: 9, id: 0x61}
	c.reset()
	return c
}

// NewBME688 returns a BME688 with the same raw values, which are 147,977 Ω there.
func NewBME688() *Chip {
	c := NewBME680()
	c.high = true
	c.reset()
	return c
}

// SetID changes the chip's id.
func (c *Chip) SetID(id byte) { c.id = id }

// LosePower switches the chip off and on, also during a measurement.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() {
	c.regs, c.running, c.start = [256]byte{}, false, time.Now()
	copy(c.regs[0x8A:], []byte{0x5a, 0x67, 0x03, 0xf0, 0x20, 0x8e, 0x70, 0xd7, 0x58, 0x00, 0x9b, 0x1b, 0xd2, 0xff, 0x2e, 0x1e, 0, 0, 0x8a, 0xf4, 0x53, 0xf5, 0x1e})
	copy(c.regs[0xE1:], []byte{0x3f, 0xb0, 0x2f, 0x00, 0x2d, 0x14, 0x78, 0x9c, 0xd4, 0x65, 0x1c, 0xd7, 0xe9, 0x12})
	copy(c.regs[0x00:], []byte{0x2c, 0x00, 0x16, 0xaa, 0x13})
	c.regs[0xD0] = c.id
	if c.high {
		c.regs[0xF0] = 1
	}
	c.result(0x80000, 0x80000, 0x8000)
}

// result puts raw values into the registers.
func (c *Chip) result(p, t int32, h uint16) {
	copy(c.regs[0x1F:], []byte{byte(p >> 12), byte(p >> 4), byte(p << 4), byte(t >> 12), byte(t >> 4), byte(t << 4), byte(h >> 8), byte(h)})
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	return c.registers.Transfer(w, r,
		func(reg byte, b []byte) bool { return chiptest.Pairs(reg, b, c.write) },
		func(reg byte, b []byte) { copy(b, c.regs[reg:]) })
}

func (c *Chip) write(reg, v byte) {
	switch reg {
	case 0xE0:
		if v == 0xB6 {
			c.reset()
		}
	case 0x5A, 0x64, 0x70, 0x71, 0x72:
		c.regs[reg] = v
	case 0x74:
		if c.regs[reg] = v; v&3 == 1 {
			c.running, c.ready = true, time.Now().Add(c.time())
			c.regs[0x1D] = 0x20 // measuring
		}
	}
}

// gasRuns reports whether the measurement is of the gas too.
func (c *Chip) gasRuns() bool {
	if c.high {
		return c.regs[0x71]&0x20 != 0
	}
	return c.regs[0x71]&0x10 != 0
}

// samples returns how often a quantity is measured, by its bits in a control register.
func samples(bits byte) int {
	if bits &= 7; bits == 0 {
		return 0
	}
	return 1 << (min(bits, 5) - 1)
}

// time returns how long a measurement takes.
func (c *Chip) time() time.Duration {
	us := 1963*(samples(c.regs[0x74]>>5)+samples(c.regs[0x74]>>2)+samples(c.regs[0x72])) + 477*9 + 1000
	d := time.Duration(us) * time.Microsecond
	if c.gasRuns() {
		wait := c.regs[0x64]
		d += time.Duration(int(wait&0x3F)<<(2*(wait>>6))) * time.Millisecond
	}
	return d
}

// advance ends a measurement whose time is over.
func (c *Chip) advance() {
	if !c.running || time.Now().Before(c.ready) {
		return
	}
	if c.Busy > 0 {
		c.Busy--
		return
	}
	c.running = false
	c.regs[0x1D] = 0x80
	c.regs[0x74] &^= 3
	p, t, h := int32(0x80000), int32(0x80000), uint16(0x8000)
	if samples(c.regs[0x74]>>5) > 0 {
		t = c.Temperature
	}
	if samples(c.regs[0x74]>>2) > 0 {
		p = c.Pressure
	}
	if samples(c.regs[0x72]) > 0 {
		h = c.Humidity
	}
	c.result(p, t, h)
	flags := byte(0)
	if c.gasRuns() {
		flags |= 0x20
		if !c.Cold && c.regs[0x70]&0x08 == 0 && c.regs[0x5A] > 0 {
			flags |= 0x10
		}
	}
	at := 0x2A
	if c.high {
		at = 0x2C
	}
	copy(c.regs[at:], []byte{byte(c.Gas >> 2), byte(c.Gas<<6) | flags | c.GasRange})
}
