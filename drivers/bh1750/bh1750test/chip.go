// Package bh1750test has a model of the BH1750 that behaves as its data sheet says: for tests of
// the driver, and for anything that can put a model behind a bus.
package bh1750test

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Illuminance float64 // lx

	mu      sync.Mutex // held by Transfer
	awake   bool
	running bool
	mt      byte // the measuring time's register
	ready   time.Time
	counts  uint16
}

// New returns a chip at 250 lx, as it is after power-up.
func New() *Chip { return &Chip{Illuminance: 250, mt: 69} }

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && !time.Now().Before(c.ready) {
		counts := math.Round(c.Illuminance * 1.2 * float64(c.mt) / 69)
		c.running, c.awake, c.counts = false, false, uint16(min(counts, 65535))
	}
	if len(w) > 1 {
		return fmt.Errorf("bh1750test: % x: one instruction a transfer", w)
	}
	if len(w) == 1 {
		switch v := w[0]; {
		case v == 0x00:
			c.awake, c.running = false, false
		case v == 0x01:
			c.awake = true
		case v&0xF8 == 0x40:
			c.mt = v<<5 | c.mt&0x1F
		case v&0xE0 == 0x60:
			c.mt = c.mt&0xE0 | v&0x1F
		case v == 0x20 && c.awake:
			c.running = true
			c.ready = time.Now().Add(180 * time.Millisecond * time.Duration(c.mt) / 69)
		default:
			return fmt.Errorf("bh1750test: instruction %02x, awake %v", v, c.awake)
		}
	}
	copy(r, []byte{byte(c.counts >> 8), byte(c.counts)})
	return nil
}
