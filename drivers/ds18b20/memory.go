package ds18b20

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ds18s20 is the family of the DS18S20, whose memory differs from that of the others.
const ds18s20 = "10"

// A memory is a chip's scratchpad: temperature (2 bytes, the lower first), alarms, configuration,
// three reserved, checksum. A DS18S20 has no configuration, but in bytes 6 and 7 what remained of
// the counter and its counts per degree.
type memory struct {
	family string // of the chip's id
	bytes  [9]byte
}

// Words of the temperature after power-up, 85 °C.
const (
	powerOn     = 0x0550
	powerOnHalf = 0x00aa // of a DS18S20, in half degrees
)

// The counter of a DS18S20: its remainder after power-up, and its counts per degree.
const (
	powerOnRemain = 0x0c
	perDegree     = 0x10
)

// parse takes the first line of w1_slave apart: "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES".
func parse(family, text string) (m memory, err error) {
	m.family = family
	line, _, _ := strings.Cut(text, "\n")
	bytes, verdict, ok := strings.Cut(line, " : ")
	b, err := hex.DecodeString(strings.ReplaceAll(bytes, " ", ""))
	if !ok || err != nil || len(b) != len(m.bytes) {
		return m, fmt.Errorf("the kernel says %q, want 9 bytes and a checksum", line)
	}
	copy(m.bytes[:], b)
	if !strings.HasSuffix(verdict, "YES") || crc(m.bytes[:8]) != m.bytes[8] {
		return m, errors.New("wrong checksum: the line is too long, its pull-up too weak, or two devices answer at once")
	}
	return m, nil
}

// chip returns the name of the chip.
func (m memory) chip() string {
	switch m.family {
	case ds18s20:
		return "DS18S20"
	case "22":
		return "DS1822"
	case "3b":
		return "DS1825"
	case "42":
		return "DS28EA00"
	}
	return "DS18B20"
}

func (m memory) raw() uint16  { return uint16(m.bytes[0]) | uint16(m.bytes[1])<<8 }
func (m memory) config() byte { return m.bytes[4] }

// plausible reports whether the bytes that are always the same are those of the chip. The lower
// bits of a DS1825's configuration are its address; a MAX31850, which has the same family, has set
// the highest.
func (m memory) plausible() bool {
	switch m.family {
	case ds18s20:
		return m.bytes[4] == 0xff && m.bytes[5] == 0xff && m.bytes[6] <= perDegree && m.bytes[7] == perDegree
	case "3b":
		return m.config()&0x90 == 0x10
	}
	return m.config()&0x9f == 0x1f
}

// unmeasured reports whether the chip may have lost its power and not measured since then. Of a
// DS18B20, reserved byte 6 is 0x0c after power-up, and 16 minus the fraction afterwards; that is so
// in Maxim's chips and not in the data sheet. A DS18S20 does not show it.
func (m memory) unmeasured() bool {
	if m.family == ds18s20 {
		return m.raw() == powerOnHalf && m.bytes[6] == powerOnRemain
	}
	return m.raw() == powerOn && m.bytes[6] != 0x10-m.bytes[0]&0x0f
}

// celsius returns the temperature without the bits that mean nothing at the chip's resolution (9 to
// 12 bits). That of a DS18S20 is in half degrees, and finer by its counter.
func (m memory) celsius() float64 {
	if m.family == ds18s20 {
		return float64(int16(m.raw())>>1) - 0.25 + float64(perDegree-int(m.bytes[6]))/perDegree
	}
	unused := 3 - m.config()>>5&3
	return float64(int16(m.raw())>>unused<<unused) / 16
}

// crc returns the checksum of 1-Wire: x⁸+x⁵+x⁴+1, the lowest bit first.
func crc(b []byte) byte {
	var c byte
	for _, v := range b {
		c ^= v
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0x8c
			} else {
				c >>= 1
			}
		}
	}
	return c
}
