// Package scd4xtest has a model of the SCD4x that behaves as its data sheet says: for tests of the driver, and for whatever can put a
// model behind a bus.
package scd4xtest

import (
	"encoding/binary"
	"math"
	"sync"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/drivers/sensirion"
	"github.com/fieldgate/fieldgate/drivers/sensirion/sensiriontest"
)

// A Chip is a model of the sensor on an I2C bus.
type Chip struct {
	CO2         uint16  // ppm
	Temperature float64 // °C, of the sensor as it warms itself
	Humidity    float64 // %RH
	Disturbed   bool    // the checksums are wrong

	// What was set, in the sensor's own numbers.
	Offset, Altitude, SelfCalibration uint16

	mu      sync.Mutex // held by Transfer and LosePower
	busy    time.Time  // until when the sensor acknowledges nothing
	running bool
	next    time.Time // when the next result is there
	fresh   bool      // there is one that was not read
	answer  []byte
}

// New returns a sensor with the data sheet's example, 500 ppm, 25 °C and 37 %RH, that was just switched on.
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
	c.running, c.fresh, c.answer = false, false, nil
	c.busy = time.Now().Add(time.Second)
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.busy) {
		return syscall.ENXIO
	}
	for c.running && !now.Before(c.next) {
		c.fresh, c.next = true, c.next.Add(5*time.Second)
	}
	if len(w) > 0 {
		if err := c.command(w); err != nil {
			return err
		}
		now = time.Now()
	}
	if len(r) > 0 {
		if now.Before(c.busy) || len(r) > len(c.answer) {
			return syscall.ENXIO
		}
		copy(r, c.answer)
		c.answer = nil
	}
	return nil
}

func (c *Chip) command(w []byte) error {
	if len(w) != 2 && len(w) != 5 {
		return syscall.ENXIO
	}
	command, takes := binary.BigEndian.Uint16(w), time.Millisecond
	c.answer = nil
	switch command {
	case 0xE4B8:
		status := uint16(0x8000)
		if c.fresh {
			status = 0x8006
		}
		c.answer = sensiriontest.Pack(status)
	case 0xEC05:
		if !c.fresh {
			return syscall.ENXIO
		}
		c.fresh = false
		t := c.Temperature - float64(c.Offset)*175/65535 + 4 // its own warmth is 4 °C
		c.answer = sensiriontest.Pack(c.CO2, uint16(math.Round((t+45)/175*65535)), uint16(math.Round(c.Humidity/100*65535)))
	case 0x3F86:
		c.running, c.fresh, takes = false, false, 500*time.Millisecond
	default:
		if c.running {
			return syscall.ENXIO
		}
		if err := c.idle(command, w[2:]); err != nil {
			return err
		}
	}
	if c.Disturbed && c.answer != nil {
		c.answer[2] ^= 0x10
	}
	c.busy = time.Now().Add(takes)
	return nil
}

// idle obeys a command that is only for the idle sensor.
func (c *Chip) idle(command uint16, word []byte) error {
	value := uint16(0)
	if len(word) == 3 {
		if value = binary.BigEndian.Uint16(word); sensirion.CRC(word[:2]...) != word[2] {
			return syscall.ENXIO
		}
	}
	switch command {
	case 0x21B1:
		c.running, c.next = true, time.Now().Add(5*time.Second)
	case 0x3682:
		c.answer = sensiriontest.Pack(0xF896, 0x9F07, 0x3BBE)
	case 0x241D:
		c.Offset = value
	case 0x2427:
		c.Altitude = value
	case 0x2416:
		c.SelfCalibration = value
	default:
		return syscall.ENXIO
	}
	return nil
}
