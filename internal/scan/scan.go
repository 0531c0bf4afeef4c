// Package scan finds the sensors and buses of this machine: I2C buses with the addresses that
// answer, serial ports, and what the kernel shows of 1-Wire, hwmon, IIO and GPIO. It writes to no
// device unless it is asked to identify chips, and leaves alone what a kernel driver or a running
// gateway uses. Printing is the command line's.
package scan

import (
	"context"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/ds18b20"
	"github.com/fieldgate/fieldgate/drivers/gpio"
	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

// Found is what there is on this machine.
type Found struct {
	I2C    []Bus            `json:"i2c"`
	Serial []bus.SerialPort `json:"serial"`
	W1     []string         `json:"w1"`
	Hwmon  []sysfs.Listed   `json:"hwmon"`
	IIO    []sysfs.Listed   `json:"iio"`
	GPIO   []gpio.Chip      `json:"gpio"`
}

// A Scanner looks at this machine.
type Scanner struct {
	Host    *bus.Host
	Specs   []drivers.Spec
	Sensors []config.Sensor // that are configured
	Running bool            // a gateway may be reading them
}

// Scan looks what there is. identify lets drivers find their chips on I2C, which writes to the
// devices.
func (s *Scanner) Scan(ctx context.Context, identify bool) *Found {
	f := &Found{I2C: []Bus{}, Serial: list(s.Host.Inventory()), W1: list(ds18b20.Devices()), Hwmon: list(hwmon.Devices()), IIO: list(iio.Devices()), GPIO: list(gpio.Chips())}
	for _, name := range bus.I2CBuses() {
		f.I2C = append(f.I2C, s.bus(ctx, name, s.configuredOn(name), identify))
	}
	return f
}

// list makes an empty list of none, which is what JSON is to show.
func list[T any](all []T) []T { return append([]T{}, all...) }
