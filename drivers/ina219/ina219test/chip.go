// Package ina219test has a model of the INA219 and INA226 that behaves as their data sheets say:
// for tests of the driver, and for whatever can put a model behind a bus.
package ina219test

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Volts    float64 // of the line
	Amperes  float64 // through the shunt
	Shunt    float64 // Ω
	Overflow bool    // the chip's arithmetic overflows
	Slower   time.Duration

	ina226    bool
	mu        sync.Mutex // held by Transfer and LosePower
	config    uint16
	shunt     uint16
	bus       uint16
	done      bool // the flag of a conversion that has ended
	running   bool
	ready     time.Time
	registers chiptest.Registers
}

// NewINA219 returns a chip at 12 V and 0.5 A through 0.1 Ω, as it is after power-up.
func NewINA219() *Chip { return power(&Chip{Volts: 12, Amperes: 0.5, Shunt: 0.1}) }

// NewINA226 returns such an INA226.
func NewINA226() *Chip { return power(&Chip{Volts: 12, Amperes: 0.5, Shunt: 0.1, ina226: true}) }

func power(c *Chip) *Chip { c.LosePower(); return c }

// LosePower switches the chip off and on: it measures again and again.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() {
	c.shunt, c.bus, c.registers = 0, 0, chiptest.Registers{}
	if c.ina226 {
		c.configure(0x4127)
	} else {
		c.configure(0x399F)
	}
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && !time.Now().Before(c.ready) {
		c.running, c.done = c.config&4 != 0, true // bit 2: again and again
		c.convert()
	}
	return c.registers.Transfer(w, r, c.write, c.read)
}

func (c *Chip) write(reg byte, b []byte) bool {
	if reg != 0 || len(b) != 2 {
		return false
	}
	c.configure(binary.BigEndian.Uint16(b))
	return true
}

func (c *Chip) read(reg byte, b []byte) {
	v := c.register(reg)
	copy(b, []byte{byte(v >> 8), byte(v)})
}

func (c *Chip) configure(v uint16) {
	if v&0x8000 != 0 {
		c.reset()
		return
	}
	c.config, c.done, c.running = v, false, v&3 == 3
	c.ready = time.Now().Add(c.takes() + c.Slower)
}

// takes returns how long a measurement of both voltages takes at most.
func (c *Chip) takes() time.Duration {
	if c.ina226 {
		samples := []time.Duration{1, 4, 16, 64, 128, 256, 512, 1024}[c.config>>9&7]
		return 2 * samples * 1210 * time.Microsecond
	}
	return time.Duration(1<<(c.config>>7&7)+1<<(c.config>>3&7)) * 586 * time.Microsecond
}

func (c *Chip) convert() {
	volts := c.Amperes * c.Shunt
	if c.ina226 {
		c.shunt = uint16(int16(min(max(math.Round(volts/2.5e-6), -32768), 32767)))
		c.bus = uint16(min(max(math.Round(c.Volts/1.25e-3), 0), 32767))
		return
	}
	c.shunt = uint16(int16(min(max(math.Round(volts/10e-6), -32000), 32000)))
	c.bus = uint16(min(max(math.Round(c.Volts/4e-3), 0), 8000)) << 3
}

func (c *Chip) register(reg byte) uint16 {
	flag := func(b bool, v uint16) uint16 {
		if b {
			return v
		}
		return 0
	}
	switch {
	case reg == 0:
		return c.config
	case reg == 1:
		return c.shunt
	case reg == 2 && !c.ina226:
		return c.bus | flag(c.done, 2) | flag(c.Overflow, 1)
	case reg == 2:
		return c.bus
	case reg == 6 && c.ina226: // reading it clears the flag
		done := c.done
		c.done = false
		return flag(done, 8) | flag(c.Overflow, 4)
	case reg == 0xFE && c.ina226:
		return 0x5449
	case reg == 0xFF && c.ina226:
		return 0x2260
	}
	return 0
}
