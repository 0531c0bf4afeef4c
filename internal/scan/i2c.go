package scan

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
)

// A Bus is an I2C bus.
type Bus struct {
	Bus     string   `json:"bus"`
	Left    string   `json:"left_alone,omitempty"` // why nothing was asked on it
	Error   string   `json:"error,omitempty"`
	Devices []Device `json:"devices"`
}

// A Device is an address of a bus at which there is something.
type Device struct {
	Address string   `json:"address"`
	Kernel  string   `json:"kernel_driver,omitempty"` // that has it
	Through string   `json:"through,omitempty"`       // how to read that
	Sensor  string   `json:"sensor,omitempty"`        // of the configuration
	Drivers []string `json:"drivers,omitempty"`       // of the chips that can have the address
	// Drivers are those that found their chip there
	Identified bool `json:"identified,omitempty"`
}

// configuredOn returns the names of the sensors on an I2C bus by their addresses.
func (s *Scanner) configuredOn(name string) map[int]string {
	at := map[int]string{}
	for i := range s.Sensors {
		c := &s.Sensors[i]
		if address := drivers.AddressOption(c.Spec, c.Options); address != nil && sameFile(c.Bus, name) {
			at[*address] = c.Name
		}
	}
	return at
}

func sameFile(a, b string) bool {
	realA, errA := filepath.EvalSymlinks(a)
	realB, errB := filepath.EvalSymlinks(b)
	return a == b || errA == nil && errB == nil && realA == realB
}

// scanBus looks what is on an I2C bus.
func (s *Scanner) bus(ctx context.Context, name string, sensors map[int]string, identify bool) Bus {
	b := Bus{Bus: name, Devices: []Device{}}
	if s.Running && len(sensors) > 0 {
		b.Left = "the gateway is reading sensors on it: stop it (sudo systemctl stop fieldgate) to have the bus scanned"
		for addr, sensor := range sensors {
			b.Devices = append(b.Devices, Device{Address: hex(addr), Sensor: sensor})
		}
		return b
	}
	devices, err := s.Host.ScanI2C(ctx, name)
	if err != nil {
		b.Error = err.Error()
	}
	for _, d := range devices {
		b.Devices = append(b.Devices, Device{Address: hex(int(d.Address)), Kernel: d.Driver, Through: d.Through, Sensor: sensors[int(d.Address)]})
		last := &b.Devices[len(b.Devices)-1]
		for _, spec := range s.Specs {
			if d.Driver == "" && hasAddress(spec, int(d.Address)) {
				last.Drivers = append(last.Drivers, spec.Name)
			}
		}
	}
	if identify && err == nil {
		s.identify(ctx, &b, devices)
	}
	return b
}

func hex(address int) string { return fmt.Sprintf("0x%02x", address) }

// identify asks drivers to find their chips on a bus, also at addresses that did not answer.
func (s *Scanner) identify(ctx context.Context, b *Bus, devices []bus.I2CDevice) {
	kernels := map[int]bool{}
	for _, d := range devices {
		kernels[int(d.Address)] = d.Driver != ""
	}
	for addr := 0x08; addr < 0x78; addr++ {
		if kernels[addr] {
			continue
		}
		var names []string
		for _, spec := range s.Specs {
			if hasAddress(spec, addr) && isThere(ctx, s.Host, spec, b.Bus, addr) {
				names = append(names, spec.Name)
			}
		}
		if len(names) > 0 {
			b.identified(addr, names)
		}
	}
}

func (b *Bus) identified(addr int, names []string) {
	for i := range b.Devices {
		if b.Devices[i].Address == hex(addr) {
			b.Devices[i].Drivers, b.Devices[i].Identified = names, true
			return
		}
	}
	b.Devices = append(b.Devices, Device{Address: hex(addr), Drivers: names, Identified: true})
}

// isThere reports whether a driver finds its chip at an address.
func isThere(ctx context.Context, buses drivers.Buses, s drivers.Spec, name string, addr int) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o := s.Options()
	*drivers.AddressOption(s, o) = addr
	d, err := s.Open(ctx, buses, name, o)
	if err != nil {
		return false
	}
	_ = d.Close()
	return true
}

// hasAddress reports whether a driver's chip can have an address: as its own check says.
func hasAddress(s drivers.Spec, addr int) bool {
	o := s.Options()
	address := drivers.AddressOption(s, o)
	if address == nil {
		return false
	}
	*address = addr
	c, ok := o.(interface{ Check() error })
	return ok && !namesOption(c.Check(), "address")
}

// namesOption reports whether an error of Check is about an option.
func namesOption(err error, key string) bool {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			if namesOption(e, key) {
				return true
			}
		}
		return false
	}
	o := (*drivers.OptionError)(nil)
	return errors.As(err, &o) && o.Key == key
}
