// Package ads1115test has a model of the ADS1115 and ADS1015 that behaves as their data sheets say:
// for tests of the driver, and for whatever can put a model behind a bus.
package ads1115test

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Volts  [4]float64    // at the inputs, against ground
	Slower time.Duration // beyond what its rate says

	bits      int
	mu        sync.Mutex // held by Transfer and LosePower
	config    uint16     // without the bit of a conversion under way
	result    uint16
	registers chiptest.Registers
	running   bool
	ready     time.Time
}

// New returns an ADS1115 (16 bits) or ADS1015 (12 bits) as it is after power-up.
func New(bits int) *Chip { return &Chip{bits: bits, config: 0x0583} }

// LosePower switches the chip off and on.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.result, c.running, c.registers = 0x0583, 0, false, chiptest.Registers{}
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && !time.Now().Before(c.ready) {
		c.running, c.result = false, c.convert()
	}
	return c.registers.Transfer(w, r, c.write, c.read)
}

func (c *Chip) write(reg byte, b []byte) bool {
	if reg&3 != 1 || len(b) != 2 {
		return false
	}
	v := binary.BigEndian.Uint16(b)
	c.config = v &^ 0x8000
	if v&0x8000 != 0 && v&0x0100 != 0 {
		c.running, c.ready = true, time.Now().Add(c.takes())
	}
	return true
}

func (c *Chip) read(reg byte, b []byte) {
	v := c.result
	if reg&3 == 1 {
		v = c.config
		if !c.running {
			v |= 0x8000
		}
	}
	copy(b, []byte{byte(v >> 8), byte(v)})
}

// takes returns how long a conversion takes with the slowest clock.
func (c *Chip) takes() time.Duration {
	rates := []time.Duration{8, 16, 32, 64, 128, 250, 475, 860}
	if c.bits == 12 {
		rates = []time.Duration{128, 250, 490, 920, 1600, 2400, 3300, 3300}
	}
	return time.Second*11/10/rates[c.config>>5&7] + c.Slower
}

// convert returns the result of a conversion, at the end of the scale if the voltage is beyond.
func (c *Chip) convert() uint16 {
	v := c.Volts
	volts := []float64{v[0] - v[1], v[0] - v[3], v[1] - v[3], v[2] - v[3], v[0], v[1], v[2], v[3]}[c.config>>12&7]
	full := []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256}[c.config>>9&7]
	most := float64(int(1) << (c.bits - 1))
	counts := min(max(math.Round(volts/full*most), -most), most-1)
	return uint16(int16(counts)) << (16 - c.bits)
}
