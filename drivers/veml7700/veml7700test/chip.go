// Package veml7700test has a model of the VEML7700 that behaves as its data sheet says: for tests
// of the driver, and for whatever can put a model behind a bus.
package veml7700test

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus.
type Chip struct {
	Linear float64 // lx, as the chip counts them
	ID     uint16
	Count  int // how many measurements were started

	mu        sync.Mutex // held by Transfer and LosePower
	config    uint16
	counts    uint16
	registers chiptest.Registers
	ready     time.Time
}

// New returns a chip at 250 lx, as it is after power-up: asleep.
func New() *Chip { return &Chip{Linear: 250, ID: 0xC481, config: 1} }

// Light changes the light, also during a measurement.
func (c *Chip) Light(linear float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Linear = linear
}

// LosePower switches the chip off and on.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.counts = 1, 0
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config&1 == 0 && !time.Now().Before(c.ready) {
		gain := []float64{1, 2, 0.125, 0.25}[c.config>>11&3]
		perCount := 0.0042 * 2 / gain * 800 / float64(c.integration().Milliseconds())
		c.counts = uint16(min(math.Round(c.Linear/perCount), 65535))
	}
	return c.registers.Transfer(w, r, c.write, c.read)
}

func (c *Chip) write(reg byte, b []byte) bool {
	switch {
	case reg == 0 && len(b) == 2:
		v := binary.LittleEndian.Uint16(b)
		if v&1 == 0 {
			c.counts, c.Count = 0, c.Count+1
			c.ready = time.Now().Add(2500*time.Microsecond + c.as(v))
		}
		c.config = v
	case reg == 3 && len(b) == 2:
	default:
		return false
	}
	return true
}

func (c *Chip) read(reg byte, b []byte) {
	v := map[byte]uint16{0: c.config, 4: c.counts, 7: c.ID}[reg]
	copy(b, []byte{byte(v), byte(v >> 8)})
}

func (c *Chip) integration() time.Duration { return c.as(c.config) }

// as returns the integration time of a configuration.
func (c *Chip) as(config uint16) time.Duration {
	ms := map[uint16]time.Duration{0: 100, 1: 200, 2: 400, 3: 800, 8: 50, 12: 25}[config>>6&0xF]
	return ms * time.Millisecond
}
