package chip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"periph.io/x/conn/v3/i2c"
)

// A Conn is a chip at an address of a bus. It keeps the bytes that it sends, so a transfer
// allocates nothing.
type Conn struct {
	bus  i2c.Bus
	addr uint16
	w    []byte
	r    [2]byte
}

// New returns the chip at an address. It does not use the bus.
func New(bus i2c.Bus, address int) *Conn {
	return &Conn{bus: bus, addr: uint16(address), w: make([]byte, 0, 8)}
}

// String names the chip by where it is: "0x76 on /dev/i2c-1".
func (c *Conn) String() string { return fmt.Sprintf("0x%02x on %s", c.addr, c.bus) }

// Write sends bytes in one transfer.
func (c *Conn) Write(b ...byte) error {
	c.w = append(c.w[:0], b...)
	return c.bus.Tx(c.addr, c.w, nil)
}

// Read reads without naming a register.
func (c *Conn) Read(b []byte) error { return c.bus.Tx(c.addr, nil, b) }

// ReadReg reads successive registers, from reg on.
func (c *Conn) ReadReg(reg byte, b []byte) error {
	c.w = append(c.w[:0], reg)
	return c.bus.Tx(c.addr, c.w, b)
}

// ReadConstant reads successive registers that never change, twice, and fails if the two differ. A
// disturbed transfer of what the results are computed from, which most chips protect by nothing,
// would make them wrong until the chip is opened again.
func (c *Conn) ReadConstant(reg byte, b []byte) error {
	if err := c.ReadReg(reg, b); err != nil {
		return err
	}
	again := make([]byte, len(b))
	if err := c.ReadReg(reg, again); err != nil {
		return err
	}
	if !bytes.Equal(b, again) {
		return fmt.Errorf("the registers from 0x%02x on of the device at %s read % x and then % x: the transfer was disturbed (long wires, weak pull-ups)", reg, c, b, again)
	}
	return nil
}

// Read8 returns a register of one byte.
func (c *Conn) Read8(reg byte) (byte, error) {
	if err := c.ReadReg(reg, c.r[:1]); err != nil {
		return 0, err
	}
	return c.r[0], nil
}

// Read16 returns a register of two bytes, the upper one first.
func (c *Conn) Read16(reg byte) (uint16, error) {
	if err := c.ReadReg(reg, c.r[:]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(c.r[:]), nil
}

// Read16LE returns a register of two bytes, the lower one first.
func (c *Conn) Read16LE(reg byte) (uint16, error) {
	if err := c.ReadReg(reg, c.r[:]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint16(c.r[:]), nil
}

// Write16 writes a register of two bytes, the upper one first.
func (c *Conn) Write16(reg byte, v uint16) error { return c.Write(reg, byte(v>>8), byte(v)) }

// eremoteio is what some adapters say (that of the Raspberry Pi) where others say ENXIO. Only Linux
// has a name for it.
const eremoteio = syscall.Errno(121)

// NoAnswer reports whether an error of a transfer means that no device acknowledged.
func NoAnswer(err error) bool { return errors.Is(err, syscall.ENXIO) || errors.Is(err, eremoteio) }

// ExplainAbsent adds to the error of the first transfer with a chip which of the other addresses
// that it can have do answer. pins are those that choose the address ("pin SDO").
func (c *Conn) ExplainAbsent(err error, pins string, addresses ...int) error {
	if errors.Is(err, os.ErrClosed) {
		return err
	}
	var others []string
	for _, a := range addresses {
		if uint16(a) != c.addr && c.bus.Tx(uint16(a), nil, c.r[:1]) == nil {
			others = append(others, fmt.Sprintf("0x%02x", a))
		}
	}
	switch len(others) {
	case 0:
		return err
	case 1:
		return fmt.Errorf("%w; a device answers at %s: if that is it (%s), set address = %s", err, others[0], pins, others[0])
	}
	return fmt.Errorf("%w; devices answer at %s: if one is it (%s), set address to that", err, strings.Join(others, ", "), pins)
}

// WrongID returns the error for a chip that shows another id than it should. meaning says what that
// is: `a BMP280: use driver = "bmp280"`.
func (c *Conn) WrongID(id any, meaning string) error {
	return fmt.Errorf("the device at %s has the id %#02x: that is %s", c, id, meaning)
}
