// Package bme280test has a model of the BME280 and the BMP280 that behaves as their registers do:
// for tests of the driver, and for whatever can put a model behind a bus.
package bme280test

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A Chip is a model of the chip on an I2C bus. Its results are raw values, which appear in the
// registers when a measurement has ended.
type Chip struct {
	Humidity    bool // a BME280; otherwise a BMP280
	Temperature int32
	Pressure    int32
	RelHumidity int32
	Busy        int // how many looks at the status find a measurement under way beyond its time

	mu        sync.Mutex // held by Transfer and LosePower
	registers chiptest.Registers
	regs      [256]byte
	ctrlHum   byte      // as last written; it takes effect with ctrl_meas
	ready     time.Time // when the measurement ends
	running   bool
}

// NewBME280 returns a chip with the calibration and the raw values of the data sheets' example:
// 25.08 °C and 100,653 Pa. Of the humidity there is none in them; the chip has 49.08 %RH.
func NewBME280() *Chip {
	c := &Chip{Humidity: true, Temperature: 519888, Pressure: 415148, RelHumidity: 29000}
	c.reset()
	return c
}

// NewBMP280 returns the same chip without humidity.
func NewBMP280() *Chip {
	c := NewBME280()
	c.Humidity = false
	c.reset()
	return c
}

// SetID changes the chip's id.
func (c *Chip) SetID(id byte) { c.regs[0xD0] = id }

// LosePower switches the chip off and on, also during a measurement.
func (c *Chip) LosePower() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() {
	c.regs, c.ctrlHum, c.running = [256]byte{}, 0, false
	for i, v := range []int{27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000} {
		binary.LittleEndian.PutUint16(c.regs[0x88+2*i:], uint16(v))
	}
	c.regs[0xD0] = 0x58
	if c.Humidity {
		c.regs[0xD0] = 0x60
		c.regs[0xA1] = 75 // dig_H1
		// dig_H2 362, H3 0, H4 314, H5 50, H6 30
		copy(c.regs[0xE1:], []byte{0x6a, 1, 0, 19, 0x2a, 3, 0x1e})
	}
	c.result(0x80000, 0x80000, 0x8000)
}

// result puts raw values into the registers.
func (c *Chip) result(p, t, h int32) {
	copy(c.regs[0xF7:], []byte{byte(p >> 12), byte(p >> 4), byte(p << 4), byte(t >> 12), byte(t >> 4), byte(t << 4)})
	if c.Humidity {
		copy(c.regs[0xFD:], []byte{byte(h >> 8), byte(h)})
	}
}

// Transfer implements drivertest.Chip.
func (c *Chip) Transfer(w, r []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	return c.registers.Transfer(w, r,
		func(reg byte, b []byte) bool { return chiptest.Pairs(reg, b, c.write) },
		func(reg byte, b []byte) { copy(b, c.regs[reg:]) })
}

func (c *Chip) write(reg, v byte) {
	switch reg {
	case 0xE0:
		if v == 0xB6 {
			c.reset()
		}
	case 0xF2:
		c.ctrlHum = v
	case 0xF4:
		c.regs[0xF2], c.regs[0xF4] = c.ctrlHum, v
		if mode := v & 3; mode == 1 || mode == 2 {
			c.running, c.ready = true, time.Now().Add(c.time())
			c.regs[0xF3] |= 0x08
		}
	case 0xF5:
		c.regs[reg] = v
	}
}

// samples returns how often a quantity is measured, by its bits in a control register.
func samples(bits byte) int {
	if bits &= 7; bits == 0 {
		return 0
	}
	return 1 << (min(bits, 5) - 1)
}

// time returns how long a measurement takes at most.
func (c *Chip) time() time.Duration {
	us := 1250 + 2300*samples(c.regs[0xF4]>>5)
	for _, n := range []int{samples(c.regs[0xF4] >> 2), samples(c.regs[0xF2])} {
		if n > 0 {
			us += 2300*n + 575
		}
	}
	return time.Duration(us) * time.Microsecond
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
	c.regs[0xF3] &^= 0x08
	c.regs[0xF4] &^= 3
	p, t, h := int32(0x80000), int32(0x80000), int32(0x8000)
	if samples(c.regs[0xF4]>>5) > 0 {
		t = c.Temperature
	}
	if samples(c.regs[0xF4]>>2) > 0 {
		p = c.Pressure
	}
	if samples(c.regs[0xF2]) > 0 {
		h = c.RelHumidity
	}
	c.result(p, t, h)
}
