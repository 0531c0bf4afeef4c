package ds18b20

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A memory is the chip's scratchpad: temperature (2 bytes, the lower first), alarms, configuration,
// three reserved, checksum.
type memory [9]byte

// powerOn is the temperature's word after power-up, 85 °C.
const powerOn = 0x0550

// parse takes the first line of w1_slave apart: "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES".
func parse(text string) (m memory, err error) {
	line, _, _ := strings.Cut(text, "\n")
	bytes, verdict, ok := strings.Cut(line, " : ")
	b, err := hex.DecodeString(strings.ReplaceAll(bytes, " ", ""))
	if !ok || err != nil || len(b) != len(m) {
		return m, fmt.Errorf("the kernel says %q, want 9 bytes and a checksum", line)
	}
	copy(m[:], b)
	if !strings.HasSuffix(verdict, "YES") || crc(m[:8]) != m[8] {
		return m, errors.New("wrong checksum: the line is too long, its pull-up too weak, or two devices answer at once")
	}
	return m, nil
}

func (m memory) raw() uint16  { return uint16(m[0]) | uint16(m[1])<<8 }
func (m memory) config() byte { return m[4] }

// measured reports whether the chip shows that its temperature was measured. Reserved byte 6 is
// 0x0c after power-up, and 16 minus the fraction afterwards; that is so in Maxim's chips and not in
// the data sheet.
func (m memory) measured() bool { return m[6] == 0x10-m[0]&0x0f }

// celsius returns the temperature without the bits that mean nothing at the chip's resolution (9 to
// 12 bits).
func (m memory) celsius() float64 {
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
