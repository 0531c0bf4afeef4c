package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/internal/launch"
	"github.com/fieldgate/fieldgate/internal/modbusline"
)

// modbusFlags are what the modbus commands have in common.
type modbusFlags struct {
	*options
	socket string
	rtu    bool
	asJSON bool
	driver map[string]reflect.Value // of the driver, by their keys
}

func modbusCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "modbus", Short: "Find, read and write Modbus devices by hand",
		Long: `Modbus talks to a device that no configuration describes, as the drivers modbus-rtu and modbus-tcp do. BUS is what a sensor's bus can be: a
serial port ("/dev/serial/by-id/…", "usb:0403:6001"), or host and port of a device in the network ("192.168.1.20:502"), which speaks Modbus TCP
unless --rtu says that it is a serial device server. A gateway that reads sensors on this bus has to be stopped meanwhile.`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(modbusScanCommand(o), modbusIdentifyCommand(o), modbusReadCommand(o), modbusWriteCommand(o))
	return c
}

// bind adds the common flags, and those that are options of the driver.
func (f *modbusFlags) bind(c *cobra.Command, o *options, keys ...string) {
	f.options, f.driver = o, map[string]reflect.Value{}
	socketFlag(c, &f.socket)
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&f.rtu, "rtu", false, "BUS is a serial device server that passes RTU frames")
	defaults := reflect.ValueOf(modbus.SpecRTU.Options()).Elem()
	for _, key := range keys {
		for i := range defaults.NumField() {
			field := defaults.Type().Field(i)
			if field.Tag.Get("toml") != key {
				continue
			}
			v := reflect.New(field.Type).Elem()
			v.Set(defaults.Field(i))
			f.driver[key] = v
			usage, _, _ := strings.Cut(field.Tag.Get("doc"), ";")
			switch p := v.Addr().Interface().(type) {
			case *int:
				c.Flags().IntVar(p, flagOf(key), *p, usage)
			case *bool:
				c.Flags().BoolVar(p, flagOf(key), *p, usage)
			case *string:
				c.Flags().StringVar(p, flagOf(key), *p, usage)
			case *time.Duration:
				c.Flags().DurationVar(p, flagOf(key), *p, usage)
			}
		}
	}
	if t := c.Flags().Lookup("timeout"); t != nil {
		t.DefValue = "0s" // it depends on the bus
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if want := len(strings.Fields(c.Use)) - 1; len(args) != want {
			return usageError{fmt.Errorf("want %s (see %s --help)", c.Use, c.CommandPath())}
		}
		return nil
	}
}

// flagOf returns the flag of an option.
func flagOf(key string) string {
	if key == "unit_id" {
		return "unit"
	}
	return strings.ReplaceAll(key, "_", "-")
}

// device returns the device that the flags describe.
func (f *modbusFlags) device(c *cobra.Command, bus string) (modbusline.Device, error) {
	d, err := modbusline.NewDevice(bus, f.rtu)
	if err != nil {
		return d, usageError{err}
	}
	for key, v := range f.driver {
		if !c.Flags().Changed(flagOf(key)) {
			continue
		}
		if err := d.Set(key, v.Interface()); err != nil {
			return d, usageError{fmt.Errorf("--%s: %w", flagOf(key), err)}
		}
	}
	return d, nil
}

// mayUse returns why a bus must be left alone: a gateway reads sensors on it, or may do so.
func (f *modbusFlags) mayUse(ctx context.Context, bus string) error {
	c, err := f.load()
	known := err == nil
	if !known {
		c = &config.Config{}
	}
	status, err := runningGateway(ctx, f.options, f.socket, c)
	if err != nil || status == nil {
		return err
	}
	stop := "stop it first (sudo systemctl stop fieldgate)"
	if !known || status.Config != launch.Current {
		return fmt.Errorf("the gateway is running (process %d), and its configuration cannot be read here to see whether it uses %s: %s", status.PID, bus, stop)
	}
	for _, s := range c.Sensors {
		if s.Bus == bus || sameFile(s.Bus, bus) || sameAddress(ctx, s.Bus, bus) {
			return fmt.Errorf("the gateway is running (process %d) and reads sensor %s on %s: %s", status.PID, s.Name, bus, stop)
		}
	}
	return nil
}

// sameFile reports whether two names are one device file.
func sameFile(a, b string) bool {
	realA, errA := filepath.EvalSymlinks(a)
	realB, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && realA == realB
}

// sameAddress reports whether two names are one port of one host.
func sameAddress(ctx context.Context, a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	of, _ := net.DefaultResolver.LookupHost(ctx, hostA) // a name that nobody knows is not the same
	other, _ := net.DefaultResolver.LookupHost(ctx, hostB)
	return slices.ContainsFunc(of, func(ip string) bool { return slices.Contains(other, ip) })
}

// describeModbus adds the bus to an error that does not name it, and makes a mistake one of usage.
func describeModbus(bus string, err error) error {
	var m *modbusline.Mistake
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		return usageError{err}
	case strings.Contains(err.Error(), bus):
		return err
	}
	return fmt.Errorf("%s: %w", bus, err)
}
