// Package sht4xtest has a model of the SHT4x that behaves as its data sheet says: for tests of the driver, and for whatever can put a
// model behind a bus.
package sht4xtest

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
	Humidity    float64 // %RH, from -6 to 119 as the chip's scale
	Disturbed   bool    // the checksums are wrong

	mu     sync.Mutex // held by Transfer
	busy   time.Time  // until when the chip acknowledges nothing
	answer []byte
}

// New returns a chip at 25 °C and 50 %RH.
func New() *Chip { return &Chip{Temperature: 25, Humidity: 50} }

// word returns a fraction of full scale.
func word(part float64) uint16 { return uint16(math.Round(min(max(part, 0), 1) * 65535)) }

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.busy) || len(w) > 1 {
		return syscall.ENXIO
	}
	if len(w) == 1 {
		takes := time.Millisecond
		switch w[0] {
		case 0x89:
			c.answer = sensiriontest.Pack(0x0F4C, 0x1234)
		case 0x94:
			c.answer = nil
		case 0xFD:
			takes = 8300 * time.Microsecond
			c.answer = sensiriontest.Pack(word((c.Temperature+45)/175), word((c.Humidity+6)/125))
		default:
			return syscall.ENXIO
		}
		if c.Disturbed && c.answer != nil {
			c.answer[2] ^= 0x80
		}
		c.busy = time.Now().Add(takes)
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
