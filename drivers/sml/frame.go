package sml

import (
	"bytes"
	"encoding/binary"

	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// maxFrame is more than any meter sends: most have less than 500 bytes.
const maxFrame = 8 << 10

const (
	escape = "\x1b\x1b\x1b\x1b"
	start  = escape + "\x01\x01\x01\x01"
	end    = 0x1a // after an escape, with the number of fill bytes and the checksum
)

// A framer finds the frames of SML's transport protocol, version 1, in bytes. After its start a
// frame is made of groups of four bytes.
type framer struct {
	raw     []byte // what came, at first perhaps a part of the start
	inside  bool   // raw is a frame from its start on
	escaped bool   // the last group was an escape
	body    []byte
	damaged int // frames with a wrong checksum
}

// put adds a byte, and returns the body of the frame that it completes, good until the next call.
func (f *framer) put(c byte) (body []byte, ok bool) {
	f.raw = append(f.raw, c)
	switch {
	case bytes.HasSuffix(f.raw, []byte(start)):
		f.raw, f.body, f.inside, f.escaped = append(f.raw[:0], start...), f.body[:0], true, false
		return nil, false
	case !f.inside:
		if len(f.raw) == len(start) {
			f.raw = f.raw[:copy(f.raw, f.raw[1:])]
		}
		return nil, false
	case len(f.raw) > maxFrame:
		f.drop()
		return nil, false
	case len(f.raw)%4 != 0:
		return nil, false
	}
	group := f.raw[len(f.raw)-4:]
	switch was := f.escaped; {
	case !was && string(group) == escape:
		f.escaped = true
	case was && group[0] == end:
		defer f.drop()
		fill := int(group[1])
		if crc(f.raw[:len(f.raw)-2]) != binary.LittleEndian.Uint16(group[2:]) || fill > 3 || fill > len(f.body) {
			f.damaged++
			return nil, false
		}
		return f.body[:len(f.body)-fill], true
	case was && string(group) != escape:
		f.damaged++
		f.drop()
	default:
		f.body, f.escaped = append(f.body, group...), false
	}
	return nil, false
}

// drop looks for the next start, of which the last bytes may be a part.
func (f *framer) drop() {
	f.raw = f.raw[:copy(f.raw, f.raw[len(f.raw)-len(start)+1:])]
	f.inside = false
}

// crc returns the checksum of DIN EN 62056-46: x¹⁶+x¹²+x⁵+1, beginning with ones and inverted.
func crc(b []byte) uint16 { return ^stream.CRC16(0x8408, 0xffff, b) }
