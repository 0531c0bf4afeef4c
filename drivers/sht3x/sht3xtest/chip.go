// Package sht3xtest has a model of the SHT3x that behaves as its data sheet says: for tests of the
// driver, and for anything that can put a model behind a bus.
package sht3xtest

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/sensirion/sensiriontest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	sensiriontest.Sensor
	Temperature float64 // °C
	Humidity    float64 // %RH
	Heater      bool

	mu       sync.Mutex // held by Transfer
	periodic bool
}

// New returns a chip at 25 °C and 50 %RH, as it is after power-up.
func New() *Chip { return &Chip{Temperature: 25, Humidity: 50} }

// StartPeriodic leaves the chip as another program may: measuring by itself and with its heater on.
func (c *Chip) StartPeriodic() { c.periodic, c.Heater = true, true }

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Sensor.Transfer(w, r, c.obey)
}

func (c *Chip) obey(w []byte) (words []uint16, takes time.Duration, ok bool) {
	if len(w) != 2 {
		return nil, 0, false
	}
	command := binary.BigEndian.Uint16(w)
	switch {
	case command == 0xF32D:
		status := uint16(0x0010) // a reset was seen
		if c.Heater {
			status |= 1 << 13
		}
		return []uint16{status}, 0, true
	case command == 0x3093:
		c.periodic = false
		return nil, time.Millisecond, true
	case command == 0x30A2 && !c.periodic:
		c.Heater = false
		return nil, 1500 * time.Microsecond, true
	case command == 0x2400 && !c.periodic:
		return []uint16{sensiriontest.Fraction((c.Temperature + 45) / 175), sensiriontest.Fraction(c.Humidity / 100)}, 15500 * time.Microsecond, true
	}
	return nil, 0, false
}
