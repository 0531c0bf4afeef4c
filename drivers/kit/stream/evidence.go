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
	port    drivers.Port
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

// Kind returns what the port is made of.
func (e *Evidence) Kind() drivers.PortKind {
	if p, ok := e.port.(interface{ Kind() drivers.PortKind }); ok {
		return p.Kind()
	}
	return drivers.DevicePort
}

// Silence says what is probably wrong when nothing has come.
func (e *Evidence) Silence() string {
	switch e.Kind() {
	case drivers.TCPPort:
		return "nothing came on the connection, which is open: is the device behind it powered and sending, and is this its port?"
	case drivers.UnixPort:
		return "nothing came on the connection, which is open: does the service send to whoever connects?"
	case drivers.ProgramPort:
		said := ""
		if p, ok := e.port.(interface{ Complaint() string }); ok && p.Complaint() != "" {
			said = fmt.Sprintf(" (to its standard error: %q)", p.Complaint())
		}
		return "nothing came from the program" + said + ", which runs: does it print at all, and at once (python3 -u, print(…, flush=True), stdbuf -oL)?"
	}
	return "nothing came: is the device powered and sending, and is its TX wired to our RX?"
}

// Noise says what is probably wrong when what came makes no sense.
func (e *Evidence) Noise(mode drivers.SerialMode) string {
	switch e.Kind() {
	case drivers.TCPPort:
		return "is this the right port, and does a serial device server have the device's baud rate, data bits and parity?"
	case drivers.UnixPort, drivers.ProgramPort:
		return "is it what this driver reads?"
	}
	return fmt.Sprintf("the baud rate is probably not the device's (configured: %v), or its data bits and parity", mode)
}

// Explain says what is probably wrong when a device that speaks by itself has said nothing that
// makes sense: want names that, and err is why the wait ended.
func (e *Evidence) Explain(driver, want string, mode drivers.SerialMode, err error) error {
	if e.Count == 0 {
		return fmt.Errorf("%s: %s %w", driver, e.Silence(), err)
	}
	return fmt.Errorf("%s: %d bytes came but no %s; the first are % x: %s: %w", driver, e.Count, want, e.First(), e.Noise(mode), err)
}
