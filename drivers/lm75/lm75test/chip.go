// Package lm75test has models of the LM75 and its successors that behave as their data sheets say:
// for tests of the driver, and for whatever can put a model behind a bus.
package lm75test

import (
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of a chip on an I2C bus.
type Chip struct {
	Temperature float64 // °C

	mu        sync.Mutex // held by Transfer and LosePower
	name      string
	config    uint16 // of two bytes; chips with one have it in the upper
	registers chiptest.Registers
	word      uint16    // the temperature's register
	started   time.Time // of the measurement that is under way; zero for none
}

// New returns a chip at 25 °C, as it is after power-up: "lm75", "lm75b", "tmp102", "tmp105" or
// "tmp1075".
func New(name string) *Chip {
	c := &Chip{Temperature: 25, name: name}
	c.LosePower()
	return c
}

// LosePower switches the chip off and on: it measures always, and says 0 °C until it has measured
// once.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.word, c.started, c.registers = 0, 0, time.Now(), chiptest.Registers{}
	switch c.name {
	case "tmp102":
		c.config = 0x60A0
	case "tmp1075":
		c.config = 0x00FF
	}
}

// takes returns how long a measurement takes and how many bits it has.
func (c *Chip) takes() (time.Duration, int) {
	switch c.name {
	case "lm75":
		return 300 * time.Millisecond, 9
	case "lm75b":
		return 100 * time.Millisecond, 11
	case "tmp102":
		return 35 * time.Millisecond, 12
	case "tmp1075":
		return 10 * time.Millisecond, 12
	}
	resolution := int(c.config >> 13 & 3) // of a TMP105: 9 to 12 bits, 37.5 to 300 ms
	return time.Duration(37500<<resolution) * time.Microsecond, 9 + resolution
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	return c.registers.Transfer(w, r, c.write, c.read)
}

func (c *Chip) write(reg byte, b []byte) bool {
	if reg != 1 {
		return false
	}
	c.configure(b[0])
	return true
}

func (c *Chip) read(reg byte, b []byte) {
	var v uint16
	switch {
	case reg == 0:
		v = c.word
	case reg == 1 && (c.name == "tmp102" || c.name == "tmp1075"):
		v = c.config
	case reg == 1: // the one byte again and again
		v = c.config>>8<<8 | c.config>>8
	case reg == 0x0F && c.name == "tmp1075":
		v = 0x7500
	}
	copy(b, []byte{byte(v >> 8), byte(v)})
}

func (c *Chip) configure(v byte) {
	was := c.config
	oneShot := v&0x81 == 0x81
	switch c.name {
	case "tmp102":
		v |= 0x60
	case "lm75", "lm75b":
		v &= 0x1F
		oneShot = false
	}
	c.config = uint16(v&^0x80)<<8 | c.config&0xFF
	if oneShot || v&1 == 0 && was&0x100 != 0 {
		c.started = time.Now()
	}
}

// advance ends a measurement whose time is over, and starts the next if the chip is not asleep.
func (c *Chip) advance() {
	takes, bits := c.takes()
	if c.started.IsZero() || time.Since(c.started) < takes {
		return
	}
	steps := math.Floor(c.Temperature * float64(int(1)<<(bits-8)))
	c.word = uint16(int16(steps)) << (16 - bits)
	c.started = time.Time{}
	if c.config&0x100 == 0 {
		c.started = time.Now().Add(-takes)
	}
}
