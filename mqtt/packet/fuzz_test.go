package packet

import (
	"bytes"
	"runtime"
	"testing"
)

// decodingMemory is the most that decoding may allocate for a byte of a packet: an empty user
// property of 5 bytes becomes 32, and a growing slice has been allocated several times.
const decodingMemory = 32

// FuzzDecode checks that nothing panics, that memory is bounded by the packet's size, and that what
// is accepted can be encoded and decoded again as the same.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		// What else runs in the process counts too, so an excess must repeat itself.
		limit := uint64(1024 + decodingMemory*len(b))
		for n := 0; memoryOf(b) > limit; n++ {
			if n == 5 {
				t.Fatalf("%d bytes of memory for a packet of %d, at most %d", memoryOf(b), len(b), limit)
			}
		}
		if err != nil {
			return
		}
		encoded := p.Append(nil)
		if len(encoded) > len(b) {
			t.Errorf("% x became longer: % x", b, encoded)
		}
		again, err := decode(encoded)
		if err != nil {
			t.Fatalf("% x was encoded as % x: %v", b, encoded, err)
		}
		if !bytes.Equal(again.Append(nil), encoded) {
			t.Errorf("% x is not stable: % x", encoded, again.Append(nil))
		}
	})
}

// memoryOf returns how many bytes are allocated while b is decoded.
func memoryOf(b []byte) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = decode(b)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
