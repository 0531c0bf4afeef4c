package drivers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// A Driver measures with one device. Its methods must not be called concurrently.
type Driver interface {
	// Read measures once. If the device sends by itself, it waits for the next whole frame. It
	// returns either values or an error, never both: a value for each field that Spec.Fields
	// returns, with Bad for those that could not be measured, or an error if none could be. After
	// an error Read can be called again, unless the error wraps os.ErrClosed. The values belong to
	// the caller until the next Read, which may overwrite them. Read returns soon after ctx ends,
	// at the latest after one bus transaction.
	Read(ctx context.Context) ([]Value, error)
	// Close puts the device into its state of lowest power. It does not close the bus. A second
	// call does nothing. Neither Read nor Write may be called afterwards.
	Close() error
}

// A Writer is a Driver of an actuator, such as a relay or a set point. The rules of Read apply to
// Write too, and the two are never called concurrently.
type Writer interface {
	Driver
	// Write sets one writable field: v has its name, and a value of its Kind. After an error the
	// actuator may be in the old state or in the new one; Read shows which.
	Write(ctx context.Context, v Value) error
}

// Buses opens the buses of this machine. Drivers never close a bus, because those that ask for the
// same one share it. A bus that was lost (an unplugged adapter) answers every call with an error
// that wraps os.ErrClosed; asking for it again returns one that works as soon as the adapter is
// back. The methods may be called concurrently.
type Buses interface {
	// I2C returns the bus of a device file, "/dev/i2c-1". It serialises the transfers of several
	// drivers.
	I2C(name string) (i2c.Bus, error)
	// Serial returns the port of a device file or of a USB name (see USBName). It is held by one
	// driver alone, or, with mode.Shared, by all that ask for it by the same name and with the same
	// mode, until they release it. A Spec made by Serial or SharedSerial does that when the driver
	// is closed, with the method Close of the Port if it has one.
	Serial(name string, mode SerialMode) (Port, error)
	// Connect returns the connection to a device in the network, "192.168.1.20:502". All that ask
	// for the same address share one.
	Connect(ctx context.Context, address string) (Port, error)
}

// A Port is the part of a serial port, or of a network connection, that drivers use. Its methods
// must not be called concurrently.
type Port interface {
	// Read waits for at least one byte, and returns os.ErrDeadlineExceeded if none comes within the
	// read timeout. An error that wraps os.ErrClosed means that the port is lost.
	Read(p []byte) (int, error)
	// Write sends all of p or returns an error.
	Write(p []byte) (int, error)
	// SetReadTimeout sets how long each later Read waits; a driver calls it before its first Read.
	// With 0 a Read returns at once with what has already arrived, or os.ErrDeadlineExceeded.
	SetReadTimeout(d time.Duration) error
}

// A SerialMode is how a serial port is set up. The zero value of a field means its default, so that
// the zero SerialMode is 9600 8N1.
type SerialMode struct {
	Baud     int    // bits per second; default 9600
	DataBits int    // 5 to 8; default 8
	Parity   string // "none" (default), "odd", "even"
	StopBits int    // 1 (default) or 2
	RS485    RS485

	// Shared says that several drivers may hold the port, if all ask for the same mode. Whoever
	// calls them makes them take turns.
	Shared bool
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

// RS485 makes the kernel switch the direction of a transceiver with the RTS line of the port. The
// zero value leaves the setting of the port as it is: most adapters switch by themselves.
type RS485 struct {
	Enabled bool
	LowSend bool          // RTS is low, not high, while sending
	Before  time.Duration // from switching to sending until the first byte, in whole milliseconds
	After   time.Duration // from the last byte until switching back, in whole milliseconds
}
