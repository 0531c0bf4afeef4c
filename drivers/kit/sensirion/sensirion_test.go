package sensirion

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// The data sheets' examples: SHT3x-DIS section 4.12, and those of the SCD4x's commands.
func TestCRC(t *testing.T) {
	for word, want := range map[uint16]byte{
		0xBEEF: 0x92,
		0x01F4: 0x33, 0x6667: 0xA2, 0x5EB9: 0x3C, // 500 ppm, 25 °C, 37 %RH
		0xF896: 0x31, 0x9F07: 0xC2, 0x3BBE: 0x89, // a serial number
		0x07E6: 0x48, 0x079E: 0x09, // an offset of 5.4 °C, a height of 1950 m
	} {
		if got := CRC(byte(word>>8), byte(word)); got != want {
			t.Errorf("%04x: want %02x, got %02x", word, want, got)
		}
	}
}

func TestConn(t *testing.T) {
	bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x62, W: []byte{0x36, 0x82}},
		{Addr: 0x62, R: []byte{0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2, 0x3B, 0xBE, 0x89}},
		{Addr: 0x62, W: []byte{0x24, 0x27, 0x07, 0x9E, 0x09}},
		{Addr: 0x62, W: []byte{0x24, 0x27}},
		{Addr: 0x62, R: []byte{0x01, 0xF4, 0x33, 0x66, 0x67, 0xA3}},
	}}
	c := Conn{Conn: chip.New(bus, 0x62)}
	var serial [3]uint16
	if err := c.Ask(t.Context(), 0x3682, 0, serial[:]); err != nil || serial != [3]uint16{0xF896, 0x9F07, 0x3BBE} {
		t.Errorf("got %04x, %v", serial, err)
	}
	if err := errors.Join(c.Command(t.Context(), 0x2427, 1950), c.Command(t.Context(), 0x2427)); err != nil {
		t.Error(err)
	}
	if err := c.Fetch(t.Context(), 0, serial[:2]); !errors.Is(err, ErrCRC) {
		t.Errorf("a wrong checksum: got %v", err)
	}
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
}
