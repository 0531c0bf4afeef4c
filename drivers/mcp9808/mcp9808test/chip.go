// Package mcp9808test has a model of the MCP9808 that behaves as its data sheet says: for tests of
// the driver, and for whatever can put a model behind a bus.
package mcp9808test

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Temperature  float64 // °C
	Alarms       uint16  // the upper three bits of the temperature's register
	Manufacturer uint16
	Device       uint16

	mu         sync.Mutex // held by Transfer
	config     uint16
	resolution byte
	registers  chiptest.Registers
	word       uint16
	ready      time.Time // when the measurement ends that is under way
}

// New returns a chip at 25 °C that another program put to sleep, with its coarsest resolution.
func New() *Chip {
	return &Chip{Temperature: 25, Manufacturer: 0x0054, Device: 0x0400, config: 0x0100}
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	return c.registers.Transfer(w, r, c.write, c.read)
}

func (c *Chip) write(reg byte, b []byte) bool {
	switch {
	case reg&0x0F == 1 && len(b) == 2:
		config := binary.BigEndian.Uint16(b)
		if c.config&0x100 != 0 && config&0x100 == 0 {
			c.ready = time.Now().Add(c.takes())
		}
		c.config = config
	case reg&0x0F == 8 && len(b) == 1:
		c.resolution = b[0] & 3
	default:
		return false
	}
	return true
}

func (c *Chip) read(reg byte, b []byte) {
	v := map[byte]uint16{1: c.config, 5: c.word | c.Alarms, 6: c.Manufacturer, 7: c.Device, 8: uint16(c.resolution) << 8}[reg&0x0F]
	copy(b, []byte{byte(v >> 8), byte(v)})
}

// takes returns how long a measurement takes.
func (c *Chip) takes() time.Duration {
	return []time.Duration{30, 65, 130, 250}[c.resolution] * time.Millisecond
}

// advance measures, if the chip is awake and a measurement's time is over.
func (c *Chip) advance() {
	if c.config&0x100 != 0 || time.Now().Before(c.ready) {
		return
	}
	coarse := uint16(8) >> c.resolution // of 1/16 °C
	c.word = uint16(int16(math.Floor(c.Temperature*16))) & 0x1FFF &^ (coarse - 1)
}
