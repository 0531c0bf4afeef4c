package sensiriontest

import (
	"syscall"
	"time"
)

// A Sensor is a sensor's side of the protocol.
type Sensor struct {
	Disturbed bool // the checksums are wrong

	busy   time.Time // until when the sensor acknowledges nothing
	answer []byte    // to the last command, until it was read
}

// Work lets the sensor acknowledge nothing for that time. What it had to say is forgotten.
func (s *Sensor) Work(d time.Duration) { s.busy, s.answer = time.Now().Add(d), nil }

// Transfer is that of drivertest.Chip. obey is given what is written; it returns the words of the
// answer and how long the command takes, and false for a command that the sensor does not
// acknowledge.
func (s *Sensor) Transfer(w, r []byte, obey func(w []byte) (words []uint16, takes time.Duration, ok bool)) error {
	if time.Now().Before(s.busy) {
		return syscall.ENXIO
	}
	if len(w) > 0 {
		words, takes, ok := obey(w)
		if !ok {
			return syscall.ENXIO
		}
		s.Work(takes)
		s.answer = Pack(words...)
		if s.Disturbed && len(words) > 0 {
			s.answer[len(s.answer)-1] ^= 0x01
		}
	}
	if len(r) > 0 {
		if time.Now().Before(s.busy) || len(r) > len(s.answer) {
			return syscall.ENXIO
		}
		copy(r, s.answer)
		s.answer = nil
	}
	return nil
}

// Fraction returns the word for a fraction of full scale.
func Fraction(part float64) uint16 { return uint16(min(max(part, 0), 1)*65535 + 0.5) }
