package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

// An I2CDevice is an address of a bus at which there is something.
type I2CDevice struct {
	Address uint16
	Driver  string // of the kernel, which has the device for itself; "" for one that is free
	Through string // how to read it all the same
}

// ScanI2C returns the addresses of a bus that answer to the reading of one byte, and those that the
// kernel's drivers have. It writes nothing. A device that acknowledges a reading only when it has
// something to say, as Sensirion's do, is not found.
func (h *Host) ScanI2C(ctx context.Context, name string) ([]I2CDevice, error) {
	b, err := h.I2C(name)
	if err != nil {
		return nil, err
	}
	var found []I2CDevice
	var buf [1]byte
	for addr := uint16(0x08); addr < 0x78; addr++ { // those that are not reserved
		if err := ctx.Err(); err != nil {
			return found, err
		}
		if driver, through := kernelOwner(h.sys, i2cNumber(name), addr); driver != "" {
			found = append(found, I2CDevice{addr, driver, through})
			continue
		}
		switch err := b.Tx(addr, nil, buf[:]); {
		case err == nil:
			found = append(found, I2CDevice{Address: addr})
		case errors.Is(err, os.ErrClosed):
			return found, err
		}
	}
	return found, nil
}

// A SerialPort is one of this machine.
type SerialPort struct {
	Name string `json:"name"` // the one that lasts, if it has one
	File string `json:"file"` // the device file behind it
	// of a USB adapter, as `bus` can be: "usb:0403:6001:FT0001"
	USB     string `json:"usb,omitempty"`
	Vendor  string `json:"vendor,omitempty"`  // as the adapter says
	Product string `json:"product,omitempty"` // as the adapter says
	// processes that have it open, as far as this one may see
	Users []string `json:"users,omitempty"`
}

// Inventory returns the serial ports of this machine. It opens none.
func (h *Host) Inventory() []SerialPort {
	var all []SerialPort
	usb := usbSerials(h.sys)
	for _, name := range SerialPorts() {
		p := SerialPort{Name: name, File: realName(name)}
		p.Users = devfile.Holders(p.File)
		for _, d := range usb {
			if d.file == p.File {
				p.USB, p.Product = fmt.Sprint(d.name), d.product
				p.Vendor = vendor(h.sys, p.File)
			}
		}
		all = append(all, p)
	}
	return all
}

// vendor returns who made the USB adapter of a port, as it says.
func vendor(sys, file string) string {
	dir, err := filepath.EvalSymlinks(filepath.Join(sys, "class/tty", filepath.Base(file), "device"))
	for ; err == nil && len(dir) > len(sys); dir = filepath.Dir(dir) {
		if attribute(dir, "idVendor") != "" {
			return attribute(dir, "manufacturer")
		}
	}
	return ""
}
