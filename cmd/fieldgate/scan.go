package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/gpio"
	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/sysfs"
	"github.com/fieldgate/fieldgate/drivers/w1"
)

// A found is what scan finds on this machine.
type found struct {
	I2C    []foundBus       `json:"i2c"`
	Serial []bus.SerialPort `json:"serial"`
	W1     []string         `json:"w1"`
	Hwmon  []sysfs.Listed   `json:"hwmon"`
	IIO    []sysfs.Listed   `json:"iio"`
	GPIO   []gpio.Chip      `json:"gpio"`
}

// A foundBus is an I2C bus.
type foundBus struct {
	Bus     string        `json:"bus"`
	Left    string        `json:"left_alone,omitempty"` // why nothing was asked on it
	Error   string        `json:"error,omitempty"`
	Devices []foundDevice `json:"devices"`
}

// A foundDevice is an address of a bus at which there is something.
type foundDevice struct {
	Address    string   `json:"address"`
	Kernel     string   `json:"kernel_driver,omitempty"` // that has it
	Through    string   `json:"through,omitempty"`       // how to read that
	Sensor     string   `json:"sensor,omitempty"`        // of the configuration
	Drivers    []string `json:"drivers,omitempty"`       // of the chips that can have the address
	Identified bool     `json:"identified,omitempty"`    // Drivers are those that found their chip there
}

func scanCommand(o *options) *cobra.Command {
	var socket string
	var asJSON, asTOML, identify bool
	c := &cobra.Command{
		Use: "scan", Short: "List the sensors and buses of this machine",
		Long: `Scan lists I2C buses with the addresses that answer, serial ports, and what the kernel shows of 1-Wire, hwmon, IIO and GPIO.

On I2C it reads one byte from each address and writes nothing, because a write means something else to every chip. So it names the chips that can have an
address, not the one that is there; and a chip that acknowledges a reading only when it has something to say (Sensirion's) is not seen. --identify
asks those chips' drivers to find theirs, which write to the device: commands and numbers of registers. Use it when no device on the bus minds.
Addresses that a kernel driver has are never asked, nor serial ports opened, nor the buses of a gateway that runs.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON && asTOML {
				return usageError{errors.New("--json or --toml, not both")}
			}
			f := scan(cmd.Context(), o, socket, identify)
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return writeJSON(out, f)
			case asTOML:
				return f.writeTOML(out)
			}
			return f.print(out)
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&identify, "identify", false, "let drivers find their chips on I2C, which writes to the devices")
	c.Flags().BoolVar(&asTOML, "toml", false, "print [[sensor]] tables for the configuration")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// scan looks what there is. The configuration is of help and need not be right.
func scan(ctx context.Context, o *options, socket string, identify bool) *found {
	c, err := config.Load(o.config, all.Specs())
	if err != nil {
		c = &config.Config{}
	}
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = dial(o, socket).Status(asking)
	running := err == nil

	host := bus.New(slog.New(slog.DiscardHandler))
	defer host.Close()
	f := &found{I2C: []foundBus{}, Serial: list(host.Inventory()), W1: list(w1.Devices()), Hwmon: list(hwmon.Devices()), IIO: list(iio.Devices()), GPIO: list(gpio.Chips())}
	for _, name := range bus.I2CBuses() {
		f.I2C = append(f.I2C, scanBus(ctx, host, name, configuredOn(c, name), running, identify))
	}
	return f
}

// list makes an empty list of none, which is what JSON is to show.
func list[T any](all []T) []T { return append([]T{}, all...) }

// configuredOn returns the names of the sensors on an I2C bus by their addresses.
func configuredOn(c *config.Config, name string) map[int]string {
	at := map[int]string{}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if s.Spec.Bus == drivers.I2CBus && sameFile(s.Bus, name) {
			if v, ok := addressOption(s.Options); ok {
				at[int(v.Int())] = s.Name
			}
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
func scanBus(ctx context.Context, host *bus.Host, name string, sensors map[int]string, running, identify bool) foundBus {
	b := foundBus{Bus: name, Devices: []foundDevice{}}
	if running && len(sensors) > 0 {
		b.Left = "the gateway is reading sensors on it: stop it (sudo systemctl stop fieldgate) to have the bus scanned"
		for addr, sensor := range sensors {
			b.Devices = append(b.Devices, foundDevice{Address: hex(addr), Sensor: sensor})
		}
		return b
	}
	devices, err := host.ScanI2C(ctx, name)
	if err != nil {
		b.Error = err.Error()
	}
	for _, d := range devices {
		b.Devices = append(b.Devices, foundDevice{Address: hex(int(d.Address)), Kernel: d.Driver, Through: d.Through, Sensor: sensors[int(d.Address)]})
		last := &b.Devices[len(b.Devices)-1]
		for _, s := range all.Specs() {
			if d.Driver == "" && hasAddress(s, int(d.Address)) {
				last.Drivers = append(last.Drivers, s.Name)
			}
		}
	}
	if identify && err == nil {
		identifyOn(ctx, host, &b, devices)
	}
	return b
}

func hex(address int) string { return fmt.Sprintf("0x%02x", address) }

// identifyOn asks drivers to find their chips on a bus, also at addresses that did not answer.
func identifyOn(ctx context.Context, host *bus.Host, b *foundBus, devices []bus.I2CDevice) {
	kernels := map[int]bool{}
	for _, d := range devices {
		kernels[int(d.Address)] = d.Driver != ""
	}
	for addr := 0x08; addr < 0x78; addr++ {
		if kernels[addr] {
			continue
		}
		var names []string
		for _, s := range all.Specs() {
			if hasAddress(s, addr) && isThere(ctx, host, s, b.Bus, addr) {
				names = append(names, s.Name)
			}
		}
		if len(names) > 0 {
			b.identified(addr, names)
		}
	}
}

func (b *foundBus) identified(addr int, names []string) {
	for i := range b.Devices {
		if b.Devices[i].Address == hex(addr) {
			b.Devices[i].Drivers, b.Devices[i].Identified = names, true
			return
		}
	}
	b.Devices = append(b.Devices, foundDevice{Address: hex(addr), Drivers: names, Identified: true})
}

// isThere tells whether a driver finds its chip at an address.
func isThere(ctx context.Context, buses drivers.Buses, s drivers.Spec, name string, addr int) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o := s.Options()
	v, _ := addressOption(o)
	v.SetInt(int64(addr))
	d, err := s.Open(ctx, buses, name, o)
	if err != nil {
		return false
	}
	_ = d.Close()
	return true
}

// addressOption returns the option that is a chip's address.
func addressOption(options any) (reflect.Value, bool) {
	v := reflect.ValueOf(options).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == "address" && v.Field(i).Kind() == reflect.Int {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// hasAddress tells whether a driver's chip can have an address: as its own check says.
func hasAddress(s drivers.Spec, addr int) bool {
	o := s.Options()
	v, ok := addressOption(o)
	if s.Bus != drivers.I2CBus || !ok {
		return false
	}
	v.SetInt(int64(addr))
	c, ok := o.(interface{ Check() error })
	return ok && !namesOption(c.Check(), "address")
}

// namesOption tells whether an error of Check is about an option.
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

func (f *found) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	section := func(title string, n int, none string) {
		fmt.Fprintln(w, title)
		if n == 0 {
			fmt.Fprintf(w, "  none%s\n", none)
		}
	}
	section("I2C", len(f.I2C), ": on Raspberry Pi OS enable it with: sudo raspi-config nonint do_i2c 0, and reboot")
	for _, b := range f.I2C {
		fmt.Fprintf(w, "  %s\n", b.Bus)
		if why := b.Left + b.Error; why != "" {
			fmt.Fprintf(w, "    %s\n", why)
		} else if len(b.Devices) == 0 {
			fmt.Fprintln(w, "    nothing answers")
		}
		for _, d := range b.Devices {
			fmt.Fprintf(w, "    %s\t%s\n", d.Address, d.says())
		}
	}
	section("Serial ports", len(f.Serial), "")
	for _, p := range f.Serial {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", p.Name, p.File, strings.Join(nonEmpty(p.USB, p.Vendor, p.Product), " "), usedBy(p.Users))
	}
	section("1-Wire", len(f.W1), "")
	for _, id := range f.W1 {
		fmt.Fprintf(w, "  %s\tdriver ds18b20\n", id)
	}
	for _, s := range []struct {
		title   string
		devices []sysfs.Listed
	}{{"hwmon", f.Hwmon}, {"IIO", f.IIO}} {
		section(s.title, len(s.devices), "")
		for _, d := range s.devices {
			fmt.Fprintf(w, "  %s\tat %s\t%s\n", d.Name, d.Device, strings.Join(d.Channels, ", "))
		}
	}
	section("GPIO", len(f.GPIO), "")
	for _, c := range f.GPIO {
		fmt.Fprintf(w, "  %s\t%s\t%d pins\n", c.File, c.Label, c.Lines)
	}
	return w.Flush()
}

// says tells what is at an address.
func (d foundDevice) says() string {
	names := strings.Join(d.Drivers, ", ")
	switch {
	case d.Kernel != "":
		names = fmt.Sprintf("used by the kernel driver %s: %s", d.Kernel, d.Through)
	case d.Identified:
		names = "driver " + names
	case names != "":
		names = "may be " + names
	case d.Sensor == "":
		names = "no driver knows a chip with this address"
	}
	if d.Sensor != "" {
		names = strings.TrimSuffix(fmt.Sprintf("sensor %s; %s", d.Sensor, names), "; ")
	}
	return names
}

func nonEmpty(words ...string) (some []string) {
	for _, w := range words {
		if w != "" {
			some = append(some, w)
		}
	}
	return some
}

func usedBy(users []string) string {
	if len(users) == 0 {
		return ""
	}
	return "in use by " + strings.Join(users, ", ")
}

// writeTOML prints what was found as sensors. What the device is cannot be told of a serial port, so those are comments.
func (f *found) writeTOML(out io.Writer) error {
	var b strings.Builder
	block := func(name, driver, bus, comment string, options ...string) {
		fmt.Fprintf(&b, "[[sensor]]\nname = %q\ndriver = %q%s\n", name, driver, comment)
		if bus != "" {
			fmt.Fprintf(&b, "bus = %q\n", bus)
		}
		b.WriteString("every = \"10s\"\n")
		if len(options) > 0 {
			b.WriteString("[sensor.options]\n" + strings.Join(options, "\n") + "\n")
		}
		b.WriteString("\n")
	}
	for _, i2c := range f.I2C {
		for _, d := range i2c.Devices {
			if len(d.Drivers) == 0 || d.Sensor != "" {
				continue
			}
			comment := ""
			if len(d.Drivers) > 1 {
				comment = " # or " + strings.Join(d.Drivers[1:], ", ")
			}
			number := strings.TrimPrefix(filepath.Base(i2c.Bus), "i2c-")
			block("i2c"+number+"-"+strings.TrimPrefix(d.Address, "0x"), d.Drivers[0], i2c.Bus, comment, "address = "+d.Address)
		}
	}
	for _, id := range f.W1 {
		block(id, "ds18b20", "", "", fmt.Sprintf("id = %q", id))
	}
	for _, kind := range []struct {
		driver  string
		devices []sysfs.Listed
	}{{"hwmon", f.Hwmon}, {"iio", f.IIO}} {
		for _, d := range kind.devices {
			if options := kernelOptions(kind.driver, d); options != nil {
				block(cleanName(kind.driver+"-"+d.Name+"-"+d.Device), kind.driver, "", "", options...)
			}
		}
	}
	for _, p := range f.Serial {
		fmt.Fprintf(&b, "# [[sensor]]\n# name = \"\"\n# driver = \"\" # modbus-rtu, nmea, line, …: what is at the port cannot be told from here\n# bus = %q\n# every = \"10s\"\n\n", p.Name)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// kernelOptions returns the options for a device that the kernel shows, with those of its channels that the driver knows.
func kernelOptions(driver string, d sysfs.Listed) []string {
	lines := []string{fmt.Sprintf("name = %q", d.Name), fmt.Sprintf("device = %q", d.Device)}
	var channels []string
	for _, channel := range d.Channels {
		field := strings.ReplaceAll(channel, "-", "_")
		switch {
		case driver == "hwmon" && (&hwmon.Options{Name: d.Name, Channels: map[string]hwmon.Channel{field: {Input: channel}}}).Check() == nil:
			channels = append(channels, fmt.Sprintf("channels.%s.input = %q", field, channel))
		case driver == "iio" && (&iio.Options{Name: d.Name, Channels: map[string]string{field: channel}}).Check() == nil:
			channels = append(channels, fmt.Sprintf("channels.%s = %q", field, channel))
		}
	}
	if channels == nil {
		return nil
	}
	return append(lines, channels...)
}

// cleanName makes a sensor's name of words that may have anything in them.
func cleanName(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	return clean[:min(len(clean), 64)]
}
