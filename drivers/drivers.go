package drivers

import (
	"context"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// A Driver measures with one device. Calls are never concurrent.
type Driver interface {
	// Read measures once, or waits for the device's next whole frame where the device speaks by itself. It returns the
	// fields of its Spec, those that could not be measured as Bad, or an error where nothing could be: never both. The
	// values are the caller's until the next Read. It returns soon after ctx ends, at the latest after one bus transaction.
	Read(ctx context.Context) ([]Value, error)
	// Close puts the device into its state of lowest power. It does not close the bus. A second call does nothing.
	Close() error
}

// Buses hands out this machine's buses. They are shared and belong to it; drivers never close them. A bus that was lost (an
// unplugged adapter) answers every call with an error that is os.ErrClosed; opening it anew gives another that works.
type Buses interface {
	// I2C returns the bus of a device file, "/dev/i2c-1". Transfers of several drivers are serialised by it.
	I2C(name string) (i2c.Bus, error)
	// Serial returns the port of a device file, which one sensor alone may hold until its driver is closed.
	Serial(name string, mode SerialMode) (Port, error)
}

// A Port is the part of a serial port that drivers use.
type Port interface {
	// Read waits for at least one byte until the read timeout, then returns os.ErrDeadlineExceeded.
	Read(p []byte) (int, error)
	// Write sends p whole or returns an error.
	Write(p []byte) (int, error)
	// SetReadTimeout bounds the Reads that follow; 0 makes them return at once with what has already arrived.
	SetReadTimeout(d time.Duration) error
}

// A SerialMode is how a serial line is set up. The zero value of a field means its default.
type SerialMode struct {
	Baud     int    // bits per second; default 9600
	DataBits int    // 5 to 8; default 8
	Parity   string // "none" (default), "odd", "even"
	StopBits int    // 1 (default) or 2
}
