package stream

import (
	"bytes"
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
)

// Frames finds frames of one length in bytes.
type Frames struct {
	Header []byte                  // what all frames begin with
	Size   int                     // with the header
	Valid  func(frame []byte) bool // whether the checksum is right
	// Damaged counts the frames with a wrong checksum since the last good one.
	Damaged int

	buf []byte
}

// Newest adds what has come and returns the last whole frame in it, nil if there is none. It is
// good until the next call. After something that is not a frame, the search goes on at the next
// byte.
func (f *Frames) Newest(p []byte) (frame []byte) {
	f.buf = append(f.buf, p...)
	rest := f.buf
	for {
		i := bytes.Index(rest, f.Header)
		if i < 0 { // perhaps the beginning of a header
			rest = rest[max(0, len(rest)-len(f.Header)+1):]
			break
		}
		rest = rest[i:]
		if len(rest) < f.Size {
			break
		}
		if !f.Valid(rest[:f.Size]) {
			f.Damaged++
			rest = rest[1:]
			continue
		}
		f.Damaged = 0
		frame = append(frame[:0], rest[:f.Size]...)
		rest = rest[f.Size:]
	}
	f.buf = f.buf[:copy(f.buf, rest)]
	return frame
}

// Reset forgets the beginning of a frame.
func (f *Frames) Reset() { f.buf = f.buf[:0] }

// Explain says what is probably wrong when no frame has come in time; err is why the wait ended.
func (f *Frames) Explain(driver string, seen *Evidence, mode drivers.SerialMode, err error) error {
	if f.Damaged > 0 {
		return fmt.Errorf("%s: what came begins as frames do, but %d times the checksum was wrong: is the line disturbed, or the supply weak? %w", driver, f.Damaged, err)
	}
	return seen.Explain(driver, "valid frame", mode, err)
}
