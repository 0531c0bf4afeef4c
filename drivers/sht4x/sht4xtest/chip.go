// Package sht4xtest has a model of the SHT4x that behaves as its data sheet says: for tests of the
// driver, and for anything that can put a model behind a bus.
package sht4xtest

import (
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/sensirion/sensiriontest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	sensiriontest.Sensor
	Temperature float64 // °C
	Humidity    float64 // %RH, from -6 to 119 as the chip's scale

	mu sync.Mutex // held by Transfer
}

// New returns a chip at 25 °C and 50 %RH.
func New() *Chip { return &Chip{Temperature: 25, Humidity: 50} }

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Sensor.Transfer(w, r, c.obey)
}

func (c *Chip) obey(w []byte) (words []uint16, takes time.Duration, ok bool) {
	switch {
	case len(w) > 1:
	case w[0] == 0x89:
		return []uint16{0x0F4C, 0x1234}, time.Millisecond, true
	case w[0] == 0x94:
		return nil, time.Millisecond, true
	case w[0] == 0xFD:
		return []uint16{sensiriontest.Fraction((c.Temperature + 45) / 175), sensiriontest.Fraction((c.Humidity + 6) / 125)}, 8300 * time.Microsecond, true
	}
	return nil, 0, false
}
