package drivers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// A Driver measures with one device. Calls are never concurrent.
type Driver interface {
	// Read measures once, or waits for the device's next whole frame if the device speaks by
	// itself. It returns the fields of its Spec, those that could not be measured as Bad, or an
	// error if nothing could be: never both. The values are the caller's until the next Read. It
	// returns soon after ctx ends, at the latest after one bus transaction.
	Read(ctx context.Context) ([]Value, error)
	// Close puts the device into its state of lowest power. It does not close the bus. A second
	// call does nothing.
	Close() error
}

// A Writer is a Driver of an actuator: a relay, a set point. Write is under the same rules as Read,
// and never concurrent with it.
type Writer interface {
	Driver
	// Write sets one writable field to a value of its kind. After an error the actuator may be in
	// either state; Read shows which.
	Write(ctx context.Context, v Value) error
}

// Buses hands out this machine's buses. They are shared and belong to it; drivers never close them.
// A bus that was lost (an unplugged adapter) answers every call with an error that is os.ErrClosed;
// opening it again gives another that works.
type Buses interface {
	// I2C returns the bus of a device file, "/dev/i2c-1". Transfers of several drivers are
	// serialised by it.
	I2C(name string) (i2c.Bus, error)
	// Serial returns the port of a device file or of a USB name (see USBName). One driver alone may
	// hold it until it is closed, or, where the mode says so, all that ask for it by the same name
	// and with the same mode.
	Serial(name string, mode SerialMode) (Port, error)
	// Connect returns the connection to a device in the network, "192.168.1.20:502". All that ask
	// for the same address share one.
	Connect(ctx context.Context, address string) (Port, error)
}

// A Port is the part of a serial port, or of a connection, that drivers use.
type Port interface {
	// Read waits for at least one byte until the read timeout, then returns os.ErrDeadlineExceeded.
	Read(p []byte) (int, error)
	// Write sends p whole or returns an error.
	Write(p []byte) (int, error)
	// SetReadTimeout bounds the Reads that follow; 0 makes them return at once with what has
	// already arrived.
	SetReadTimeout(d time.Duration) error
}

// A SerialMode is how a serial line is set up. The zero value of a field means its default.
type SerialMode struct {
	Baud     int    // bits per second; default 9600
	DataBits int    // 5 to 8; default 8
	Parity   string // "none" (default), "odd", "even"
	StopBits int    // 1 (default) or 2
	RS485    RS485
	Shared   bool // several drivers may hold the port, if all ask for the same mode; the caller makes them take turns
}

// String returns the mode as it is written in data sheets: "9600 8N1".
func (m SerialMode) String() string {
	parity := "N"
	if m.Parity != "" {
		parity = strings.ToUpper(m.Parity[:1])
	}
	s := fmt.Sprintf("%d %d%s%d", cmp.Or(m.Baud, 9600), cmp.Or(m.DataBits, 8), parity, cmp.Or(m.StopBits, 1))
	if m.RS485.Enabled {
		s += " RS-485"
		if m.RS485.LowSend {
			s += " with RTS low"
		}
		if m.RS485.Before != 0 || m.RS485.After != 0 {
			s += fmt.Sprintf(", %v before and %v after", m.RS485.Before, m.RS485.After)
		}
	}
	return s
}

// PerByte returns how long a byte takes on the line, with start bit, parity and stop bits.
func (m SerialMode) PerByte() time.Duration {
	bits := 1 + cmp.Or(m.DataBits, 8) + cmp.Or(m.StopBits, 1)
	if m.Parity == "odd" || m.Parity == "even" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(cmp.Or(m.Baud, 9600))
}

// RS485 says that the kernel is to switch the direction of a transceiver by the port's RTS line.
// The zero value leaves it as it is: most adapters switch by themselves.
type RS485 struct {
	Enabled bool
	LowSend bool          // RTS is low, not high, while sending
	Before  time.Duration // from switching to sending until the first byte, in whole milliseconds
	After   time.Duration // from the last byte until switching back
}
