// Package unit makes a drop-in for the service's unit, with the rights that a configuration needs
// and no others: device files, groups, address families, directories, credentials.
package unit

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// Path is where systemd looks for the drop-in.
const Path = "/etc/systemd/system/fieldgate.service.d/rights.conf"

// A Machine is what the drop-in depends on beside the configuration.
type Machine interface {
	// Device returns the kernel's number of a device file's class, and the group that the file
	// belongs to if that is not root and has a name; false: there is no such file now.
	Device(file string) (major uint32, group string, ok bool)
	HasGroup(name string) bool
	HasFile(name string) bool
}

// classes are the device files of buses that may come later. By number: systemd forgets the name of
// a class that the kernel does not know when the service starts.
var classes = []class{
	{"/dev/i2c-", "89", "i2c", false},
	{"/dev/ttyUSB", "188", "dialout", true},
	{"/dev/ttyACM", "166", "dialout", true},
	{"/dev/ttyAMA", "204", "dialout", false},
	{"/dev/ttyS", "4", "dialout", false},
}

type class struct {
	file, number, group string
	usb                 bool
}

// A rights is what a configuration needs.
type rights struct {
	machine Machine
	devices map[string][]string // class -> sensors, for the comment
	groups  map[string]bool
	network bool
	program bool // sensors are read by programs, whose needs nobody knows
}

// DropIn returns the drop-in of a configuration from a file.
func DropIn(c *config.Config, file string, m Machine) string {
	r := rights{machine: m, devices: map[string][]string{}, groups: map[string]bool{}}
	for i := range c.Sensors {
		r.sensor(&c.Sensors[i])
	}
	r.network = r.network || c.Metrics.Listen != "" || c.Page.Listen != "" || strings.Contains(c.Gateway.TimeFrom, "://") || len(c.MQTT.URLs) == 0 || len(c.MQTT.PasswordCommand) > 0 ||
		slices.ContainsFunc(c.MQTT.URLs, func(url string) bool { return !strings.HasPrefix(url, "unix:") })
	var b strings.Builder
	fmt.Fprintf(&b, "# The rights that %s needs, made by `fieldgate unit`: make it again when sensors or broker have changed.\n[Service]\n", file)
	places(&b, c)
	r.write(&b)
	for _, c := range []struct{ key, name string }{{"mqtt.password_credential", c.MQTT.PasswordCredential}, {"page.password_credential", c.Page.PasswordCredential}} {
		if c.name == "" {
			continue
		}
		secret := filepath.Join(filepath.Dir(file), c.name)
		if !m.HasFile(secret) { // the service does not start without the file
			fmt.Fprintf(&b, "# %s: put the password into %s and make this again, or name its file here.\n#", c.key, secret)
		}
		fmt.Fprintf(&b, "LoadCredential=%s:%s\n", c.name, secret)
	}
	return b.String()
}

// places allows the directories that the configuration names instead of those that the unit has
// systemd make.
func places(b *strings.Builder, c *config.Config) {
	for _, file := range []string{c.Buffer.Path, c.Control.Socket} {
		dir := filepath.Dir(file)
		if file != "" && dir != "/run/fieldgate" && dir != "/var/lib/fieldgate" {
			fmt.Fprintf(b, "ReadWritePaths=%s\n", dir)
		}
	}
}

// sensor adds what a sensor needs, also one that is disabled: the shadow may enable it.
func (r *rights) sensor(s *config.Sensor) {
	switch s.Spec.Bus {
	case drivers.NoBus:
		if class := s.Spec.Device; class != "" {
			r.allow(class, s.Name)
			r.groups["gpio"] = true
		}
	case drivers.I2CBus:
		r.file(s.Bus, "i2c", s.Name)
	default:
		port, err := drivers.ParsePort(s.Bus)
		if err != nil {
			return // the configuration was checked
		}
		switch port.Kind {
		case drivers.DevicePort:
			r.file(port.Address, "dialout", s.Name)
		case drivers.TCPPort:
			r.network = true
		case drivers.ProgramPort:
			r.program, r.network = true, true
		}
	}
}

// file allows a device file: the class that it is of now, and those that one of its name can be of
// when it comes again.
func (r *rights) file(name, group, sensor string) {
	major, owner, here := r.machine.Device(name)
	if here {
		r.allow(fmt.Sprint(major), sensor)
	}
	r.groups[cmp.Or(owner, group)] = true
	_, usb := drivers.ParseUSBName(name)
	usb = usb || strings.HasPrefix(name, "/dev/serial/")
	named := func(c class) bool { return strings.HasPrefix(name, c.file) || usb && c.usb }
	any := !here && !slices.ContainsFunc(classes, named)
	for _, c := range classes {
		if named(c) || any && c.group == group {
			r.allow(c.number, sensor)
		}
	}
}

func (r *rights) allow(class, sensor string) {
	if !slices.Contains(r.devices[class], sensor) {
		r.devices[class] = append(r.devices[class], sensor)
	}
}

func (r *rights) write(b *strings.Builder) {
	b.WriteString("DeviceAllow=\n")
	for _, class := range slices.Sorted(maps.Keys(r.devices)) {
		fmt.Fprintf(b, "# %s%s\nDeviceAllow=char-%s rw\n", nameOf(class), strings.Join(r.devices[class], ", "), class)
	}
	if r.program {
		b.WriteString("# exec: the programs have these rights too. Add what they open, such as DeviceAllow=char-189 rw for USB devices.\n")
	}
	for _, group := range slices.Sorted(maps.Keys(r.groups)) {
		if !r.machine.HasGroup(group) { // the service does not start if one is missing
			fmt.Fprintf(b, "# The group %s does not exist here: groupadd --system %s, then make this again.\n#", group, group)
		}
		fmt.Fprintf(b, "SupplementaryGroups=%s\n", group)
	}
	families := "AF_UNIX"
	if r.network {
		families = "AF_INET AF_INET6 AF_UNIX"
	}
	fmt.Fprintf(b, "RestrictAddressFamilies=\nRestrictAddressFamilies=%s\n", families)
}

func nameOf(number string) string {
	for _, c := range classes {
		if c.number == number {
			return filepath.Base(strings.TrimSuffix(c.file, "-")) + ": "
		}
	}
	return ""
}
