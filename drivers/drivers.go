package drivers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// A Driver measures with one device. The caller never makes two calls at the same time.
type Driver interface {
	// Read measures once, or waits for the device's next whole frame if the device sends by itself.
	// It returns the fields of its Spec in their order, those that could not be measured as Bad; or
	// an error if none could be measured: never both. After an error Read may be called again. The
	// slice is valid until the next Read. Read returns soon after ctx ends, at the latest after one
	// bus transaction.
	Read(ctx context.Context) ([]Value, error)
	// Close puts the device into its state of lowest power. It does not close an I2C bus; a driver
	// from Spec.Open gives its Port back. A second call does nothing.
	Close() error
}

// A Writer is a Driver of an actuator: a relay, a set point. The rules for Read also apply to
// Write, and the caller never makes both calls at the same time.
type Writer interface {
	Driver
	// Write sets the field v.Field, which is Writable, to a value of the field's Kind. After an
	// error the actuator may be in either state; Read shows which.
	Write(ctx context.Context, v Value) error
}

// Buses provides this machine's buses to Spec.Open, which asks for the one that its driver needs.
// It owns them and shares them between drivers; Spec.Open takes care that a Port is given back.
// After a bus was lost (an unplugged adapter), every call on it returns an error that is
// os.ErrClosed; asking for it again returns one that works, if it is back.
type Buses interface {
	// I2C returns the bus of a device file, "/dev/i2c-1". It serialises the transfers of several
	// drivers.
	I2C(name string) (i2c.Bus, error)
	// Port returns the port of that name (see PortName), set up as mode says. One driver has it for
	// itself until the port is closed, unless mode.Shared is set: then all drivers that ask for it
	// by the same name and with the same mode share it. Drivers that do not share a connection or a
	// program have one each.
	Port(ctx context.Context, name string, mode SerialMode) (Port, error)
}

// A Port is the part of a serial port, a network connection or a program that drivers use. Its
// methods must not be called concurrently. A driver sets the read timeout before its first Read.
//
// A connection that the other end has closed is opened again by the next Write; and if it ends
// after a Write and before a byte has come, it is opened again and what was written is sent once
// more. A Read that waits for more than that returns the loss.
//
// A Port may have these methods: HangUp() error ends a connection until the next Write; Kind()
// PortKind says what the Port is made of; of a program, Runs() int counts its starts until the last
// Read, and Complaint() string is the last line that it printed to its standard error.
type Port interface {
	// Read returns the bytes that have arrived, and waits for the first of them. After the read
	// timeout it returns an error that is os.ErrDeadlineExceeded.
	Read(p []byte) (int, error)
	// Write sends all of p or returns an error; a part may have been sent then.
	Write(p []byte) (int, error)
	// SetReadTimeout bounds the wait of every later Read. With 0 they do not wait: they return what
	// has arrived, or os.ErrDeadlineExceeded. d must not be negative.
	SetReadTimeout(d time.Duration) error
}

// A SerialMode is how a port is set up. The zero value of a field means its default. What is not a
// serial port heeds only ConnectDelay and Shared.
type SerialMode struct {
	Baud     int    // bits per second; default 9600
	DataBits int    // 5 to 8; default 8
	Parity   string // "none" (default), "odd", "even"
	StopBits int    // 1 (default) or 2
	RS485    RS485
	// ConnectDelay is how long nothing is sent after a connection was opened.
	ConnectDelay time.Duration
	// Shared lets several drivers have the port, if all ask for the same mode. Their caller makes
	// them take turns. SharedSerial sets it.
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
	if m.ConnectDelay != 0 {
		s += fmt.Sprintf(", silent for %v after connecting", m.ConnectDelay)
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

// RS485 configures the kernel to switch the direction of an RS-485 transceiver by the port's RTS
// line. The zero value leaves this to the adapter: most switch by themselves.
type RS485 struct {
	Enabled bool
	LowSend bool          // RTS is low, not high, while sending
	Before  time.Duration // from switching to sending until the first byte, in whole milliseconds
	After   time.Duration // from the last byte until switching back, in whole milliseconds
}
