package stream

import (
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
)

// Evidence is what came instead of what was expected.
type Evidence struct {
	Count   int     // bytes, without line ends
	Strange int     // of them, those that no text has
	first   [8]byte // the first of them
}

func (e *Evidence) add(p []byte) {
	for _, c := range p {
		if c == '\r' || c == '\n' {
			continue
		}
		if e.Count < len(e.first) {
			e.first[e.Count] = c
		}
		e.Count++
		if c >= 0x80 || c < ' ' && c != '\t' {
			e.Strange++
		}
	}
}

// First returns the first bytes.
func (e *Evidence) First() []byte { return e.first[:min(e.Count, len(e.first))] }

// Explain says what is probably wrong when a device that speaks by itself has said nothing that
// makes sense: want names that, and err is why the wait ended.
func (e *Evidence) Explain(driver, want string, mode drivers.SerialMode, err error) error {
	if e.Count == 0 {
		return fmt.Errorf("%s: nothing came: is the device powered and sending, and is its TX wired to our RX? %w", driver, err)
	}
	return fmt.Errorf("%s: %d bytes came but no %s; the first are % x: the baud rate is probably not the device's (configured: %v), or a serial device server has another: %w",
		driver, e.Count, want, e.First(), mode, err)
}
