package stream

import "testing"

// TestCRC16: the check values of CRC-16/ARC and CRC-16/IBM-SDLC (X.25), those of "123456789".
func TestCRC16(t *testing.T) {
	text := []byte("123456789")
	if arc, x25 := CRC16(0xa001, 0, text), ^CRC16(0x8408, 0xffff, text); arc != 0xbb3d || x25 != 0x906e {
		t.Errorf("%#x, %#x", arc, x25)
	}
	if CRC16(0xa001, CRC16(0xa001, 0, text[:4]), text[4:]) != 0xbb3d {
		t.Error("it does not continue")
	}
}
