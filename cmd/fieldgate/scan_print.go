package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// printScan prints what was found as a table.
func printScan(out io.Writer, f *scan.Found) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	section := func(title string, n int, none string) {
		fmt.Fprintln(w, title)
		if n == 0 {
			fmt.Fprintf(w, "  none%s\n", none)
		}
	}
	section("I2C", len(f.I2C), ": "+board.Here().EnableI2C())
	for _, b := range f.I2C {
		fmt.Fprintf(w, "  %s\n", b.Bus)
		if why := b.Left + b.Error; why != "" {
			fmt.Fprintf(w, "    %s\n", why)
		} else if len(b.Devices) == 0 {
			fmt.Fprintln(w, "    nothing answers")
		}
		for _, d := range b.Devices {
			fmt.Fprintf(w, "    %s\t%s\n", d.Address, deviceText(d))
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

// deviceText says what is at an address.
func deviceText(d scan.Device) string {
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
