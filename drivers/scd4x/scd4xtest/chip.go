// Package scd4xtest has a model of the SCD4x that behaves as its data sheet says: for tests of the
// driver, and for anything that can put a model behind a bus.
package scd4xtest

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion/sensiriontest"
)

// A Chip is a model of the sensor on an I2C bus.
type Chip struct {
	sensiriontest.Sensor
	CO2         uint16  // ppm
	Temperature float64 // °C, of the sensor as it warms itself
	Humidity    float64 // %RH

	// What was set, in the sensor's own numbers.
	Offset, Altitude, SelfCalibration uint16

	mu      sync.Mutex // held by Transfer and LosePower
	running bool
	next    time.Time // when the next result is there
	fresh   bool      // there is one that was not read
}

// New returns a sensor with the data sheet's example, 500 ppm, 25 °C and 37 %RH, that was just
// switched on.
func New() *Chip {
	c := &Chip{CO2: 500, Temperature: 25, Humidity: 37}
	c.LosePower()
	return c
}

// LosePower switches the sensor off and on.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Offset, c.Altitude, c.SelfCalibration = 1498, 0, 1
	c.running, c.fresh = false, false
	c.Work(time.Second)
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for now := time.Now(); c.running && !now.Before(c.next); {
		c.fresh, c.next = true, c.next.Add(5*time.Second)
	}
	return c.Sensor.Transfer(w, r, c.obey)
}

func (c *Chip) obey(w []byte) (words []uint16, takes time.Duration, ok bool) {
	if len(w) != 2 && len(w) != 5 {
		return nil, 0, false
	}
	switch command := binary.BigEndian.Uint16(w); {
	case command == 0xE4B8:
		status := uint16(0x8000)
		if c.fresh {
			status = 0x8006
		}
		return []uint16{status}, time.Millisecond, true
	case command == 0xEC05 && c.fresh:
		c.fresh = false
		t := c.Temperature - float64(c.Offset)*175/65535 + 4 // its own warmth is 4 °C
		return []uint16{c.CO2, sensiriontest.Fraction((t + 45) / 175), sensiriontest.Fraction(c.Humidity / 100)}, time.Millisecond, true
	case command == 0x3F86:
		c.running, c.fresh = false, false
		return nil, 500 * time.Millisecond, true
	case !c.running:
		words, ok = c.idle(command, w[2:])
		return words, time.Millisecond, ok
	}
	return nil, 0, false
}

// idle obeys a command that is only for the idle sensor.
func (c *Chip) idle(command uint16, word []byte) (words []uint16, ok bool) {
	value := uint16(0)
	if len(word) == 3 {
		if value = binary.BigEndian.Uint16(word); sensirion.CRC(word[:2]...) != word[2] {
			return nil, false
		}
	}
	switch command {
	case 0x21B1:
		c.running, c.next = true, time.Now().Add(5*time.Second)
	case 0x3682:
		return []uint16{0xF896, 0x9F07, 0x3BBE}, true
	case 0x241D:
		c.Offset = value
	case 0x2427:
		c.Altitude = value
	case 0x2416:
		c.SelfCalibration = value
	default:
		return nil, false
	}
	return nil, true
}
