// Package aht20test has a model of the AHT20 that behaves as its data sheet says: for tests of the
// driver, and for anything that can put a model behind a bus.
package aht20test

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Temperature float64 // °C
	Humidity    float64 // %RH
	AHT10       bool    // it sends no checksum
	Dead        bool    // it does not load its calibration
	Busy        int     // how many looks find a measurement under way beyond its time

	mu         sync.Mutex // held by Transfer and LosePower
	calibrated bool
	running    bool
	ready      time.Time
	raw        [5]byte
}

// New returns a chip at 25 °C and 50 %RH, as it is after power-up: not initialised.
func New() *Chip { return &Chip{Temperature: 25, Humidity: 50} }

// LosePower switches the chip off and on.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calibrated, c.running, c.raw = false, false, [5]byte{}
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(w) > 0 {
		switch [3]byte(append(w, 0, 0, 0)) {
		case [3]byte{0x71}:
		case [3]byte{0xBE, 0x08, 0x00}:
			c.calibrated = !c.Dead
		case [3]byte{0xAC, 0x33, 0x00}:
			c.running, c.ready = true, time.Now().Add(80*time.Millisecond)
		default:
			return fmt.Errorf("aht20test: unknown command % x", w)
		}
	}
	if len(r) == 0 {
		return nil
	}
	c.advance()
	status := byte(0x10)
	if c.running {
		status |= 0x80
	}
	if c.calibrated {
		status |= 0x08
	}
	answer := append([]byte{status}, c.raw[:]...)
	if !c.AHT10 {
		answer = append(answer, sensirion.CRC(answer...))
	}
	for i := range r {
		r[i] = 0xFF
	}
	copy(r, answer)
	return nil
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
	scale := func(part float64) uint32 { return uint32(math.Round(min(max(part, 0), 1) * (1<<20 - 1))) }
	rh, t := scale(c.Humidity/100), scale((c.Temperature+50)/200)
	c.raw = [5]byte{byte(rh >> 12), byte(rh >> 4), byte(rh<<4) | byte(t>>16), byte(t >> 8), byte(t)}
}
