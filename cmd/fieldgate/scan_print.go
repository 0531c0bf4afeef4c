package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

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
