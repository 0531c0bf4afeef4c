// Package sht3xtest has a model of the SHT3x that behaves as its data sheet says: for tests of the driver, and for whatever can put a
// model behind a bus.
package sht3xtest

import (
	"math"
	"sync"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/drivers/sensirion/sensiriontest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Temperature float64 // °C
	Humidity    float64 // %RH
	Disturbed   bool    // the checksums are wrong
	Heater      bool

	mu       sync.Mutex // held by Transfer
	busy     time.Time  // until when the chip acknowledges nothing
	periodic bool
	answer   []byte
}

// New returns a chip at 25 °C and 50 %RH, as it is after power-up.
func New() *Chip { return &Chip{Temperature: 25, Humidity: 50} }

// StartPeriodic leaves the chip as another program may: measuring by itself and with its heater on.
func (c *Chip) StartPeriodic() { c.periodic, c.Heater = true, true }

// word returns a fraction of full scale.
func word(part float64) uint16 { return uint16(math.Round(min(max(part, 0), 1) * 65535)) }

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.busy) {
		return syscall.ENXIO
	}
	if len(w) > 0 {
		if err := c.command(w); err != nil {
			return err
		}
	}
	if len(r) > 0 {
		if time.Now().Before(c.busy) || len(r) > len(c.answer) {
			return syscall.ENXIO
		}
		copy(r, c.answer)
		c.answer = nil
	}
	return nil
}

func (c *Chip) command(w []byte) error {
	if len(w) != 2 {
		return syscall.ENXIO
	}
	command := uint16(w[0])<<8 | uint16(w[1])
	c.answer = nil
	switch command {
	case 0xF32D:
		status := uint16(0x0010) // a reset was seen
		if c.Heater {
			status |= 1 << 13
		}
		c.answer = sensiriontest.Pack(status)
	case 0x3093:
		c.periodic = false
		c.busy = time.Now().Add(time.Millisecond)
	case 0x30A2, 0x2400:
		if c.periodic {
			return syscall.ENXIO
		}
		if command == 0x30A2 {
			c.Heater = false
			c.busy = time.Now().Add(1500 * time.Microsecond)
			break
		}
		c.busy = time.Now().Add(15500 * time.Microsecond)
		c.answer = sensiriontest.Pack(word((c.Temperature+45)/175), word(c.Humidity/100))
	default:
		return syscall.ENXIO
	}
	if c.Disturbed && c.answer != nil {
		c.answer[len(c.answer)-1] ^= 0x01
	}
	return nil
}
