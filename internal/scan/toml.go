package scan

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

// WriteTOML writes what was found as [[sensor]] tables of a configuration. What is at a serial port
// cannot be known, so those are comments.
func (f *Found) WriteTOML(out io.Writer) error {
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
			if options := KernelOptions(kind.driver, d); options != nil {
				block(CleanName(kind.driver+"-"+d.Name+"-"+d.Device), kind.driver, "", "", options...)
			}
		}
	}
	for _, p := range f.Serial {
		fmt.Fprintf(&b, "# [[sensor]]\n# name = \"\"\n# driver = \"\" # modbus-rtu, nmea, line, …: what is at the port cannot be determined from here\n# bus = %q\n# every = \"10s\"\n\n", p.Name)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// KernelOptions returns the options for a device that the kernel shows, with those of its channels
// that the driver knows.
func KernelOptions(driver string, d sysfs.Listed) []string {
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

// CleanName makes a sensor's name of words that may have anything in them.
func CleanName(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	return clean[:min(len(clean), 64)]
}
