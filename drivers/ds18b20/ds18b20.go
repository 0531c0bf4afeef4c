package ds18b20

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

// bus is where the kernel shows the chips of its 1-Wire buses.
const bus = "sys/bus/w1/devices"

// Options are what the configuration may set.
type Options struct {
	ID string `toml:"id" doc:"the chip's number as in /sys/bus/w1/devices, such as 28-0316a2795fff, or 10-, 22-, 3b- or 42- of a relative; may be left out if there is only one"`

	root string // where /sys is, for tests; "" is /
}

var idForm = regexp.MustCompile(`^(10|22|28|3b|42)-[0-9a-f]{12}$`)

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	if o.ID == "" || idForm.MatchString(o.ID) {
		return nil
	}
	return &drivers.OptionError{Key: "id", Err: fmt.Errorf("%q; want 28-, 10-, 22-, 3b- or 42-, and 12 hexadecimal digits in lower case, as /sys/bus/w1/devices has them", o.ID)}
}

// Spec is the driver's entry in the table. Sensors take turns, because the kernel measures with one
// of a bus at a time.
var Spec = shared(drivers.Machine("ds18b20", "Maxim DS18B20 and its relatives DS18S20, DS1822, DS1825 and DS28EA00 on the kernel's 1-Wire bus: temperature", Options{}, fields, Open))

func shared(s drivers.Spec) drivers.Spec {
	s.Shared = true
	return s
}

func fields(*Options) []drivers.Field {
	return []drivers.Field{kit.Field("temperature", drivers.Temperature, drivers.Between(-55, 125), "")}
}

// Dev is one chip.
type Dev struct {
	file   string
	id     string
	last   float64 // °C, of the last good reading
	known  bool    // there was one
	field  drivers.Field
	values [1]drivers.Value
}

// Open finds the sensor on the kernel's 1-Wire bus. The options must pass Check.
func Open(ctx context.Context, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root := filepath.Join("/", o.root)
	id, err := choose(root, o.ID)
	if err != nil {
		return nil, fmt.Errorf("ds18b20: %w", err)
	}
	return &Dev{file: filepath.Join(root, bus, id, "w1_slave"), id: id, field: fields(&o)[0]}, nil
}

// choose returns the id of the chip that the configuration means.
func choose(root, id string) (string, error) {
	devices := filepath.Join(root, bus)
	if !sysfs.Exists(devices) {
		return "", fmt.Errorf("there is no 1-Wire bus: %s: %w", board.At(root).EnableOneWire(), fs.ErrNotExist)
	}
	found, others, phantoms := attached(devices)
	present := "none"
	if len(found) > 0 {
		present = strings.Join(found, ", ")
	}
	switch {
	case id == "" && len(found) == 1:
		return found[0], nil
	case id == "" && len(found) > 1:
		return "", fmt.Errorf("there are %d sensors: choose one with the option id. Present: %s", len(found), present)
	case id != "" && sysfs.Exists(filepath.Join(devices, id)):
		return id, nil
	case len(phantoms) > 0:
		return "", fmt.Errorf("no sensor %sanswers, but %s: that is noise: the pull-up resistor is missing, 4.7 kΩ from data to 3.3 V, or data is not connected: %w", prefixed(id), strings.Join(phantoms, ", "), fs.ErrNotExist)
	case len(found) == 0 && len(others) > 0:
		return "", fmt.Errorf("%s is present, which is not a DS18B20 or one of its relatives (families 10, 22, 28, 3b, 42): %w", strings.Join(others, ", "), fs.ErrNotExist)
	}
	return "", fmt.Errorf("no sensor %sanswers: check the wires, and the 4.7 kΩ from data to 3.3 V. Present: %s: %w", prefixed(id), present, fs.ErrNotExist)
}

// attached returns what is on the bus: sensors, chips of other families, and phantoms, which the
// kernel finds on a line that nothing pulls up. It searches from family 00 on, which no chip has.
func attached(devices string) (sensors, others, phantoms []string) {
	folders, _ := filepath.Glob(filepath.Join(devices, "[0-9a-f][0-9a-f]-*"))
	for _, f := range folders {
		switch id := filepath.Base(f); {
		case idForm.MatchString(id):
			sensors = append(sensors, id)
		case strings.HasPrefix(id, "00-"):
			phantoms = append(phantoms, id)
		default:
			others = append(others, id)
		}
	}
	return sensors, others, phantoms
}

func prefixed(id string) string {
	if id == "" {
		return ""
	}
	return id + " "
}

// Read has the kernel measure and returns the temperature (°C). It takes 750 ms.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(d.file)
	if sysfs.Gone(err) {
		return nil, fmt.Errorf("ds18b20: %s has gone from the bus: check its wires: %w: %w", d.id, os.ErrClosed, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ds18b20: %s does not answer: check its wires and the pull-up of 4.7 kΩ: %w", d.id, err)
	}
	memory, err := parse(d.id[:2], string(text))
	if err == nil {
		err = d.check(memory)
	}
	if err != nil {
		return nil, fmt.Errorf("ds18b20: %s: %w", d.id, err)
	}
	d.last, d.known = memory.celsius(), true
	d.values[0] = drivers.Float(d.field.Name, d.last)
	return d.values[:], nil
}

// near is how far the temperature may be from 85 °C for that to be believed.
const near = 5

// check returns why the chip's memory has no measurement.
func (d *Dev) check(m memory) error {
	switch t := m.celsius(); {
	case !m.plausible():
		return fmt.Errorf("the chip's memory is not that of a %s (% x): the data line is held low, or the transfer was disturbed", m.chip(), m.bytes[:])
	case m.family != ds18s20 && m.raw() == 0x07ff:
		return errors.New("127.94 °C means that the chip had not enough current to measure: connect its supply wire, or use a stronger pull-up")
	case m.unmeasured() && !(d.known && d.last > 85-near && d.last < 85+near):
		return errors.New("85 °C is what the chip says before it has measured: it lost its power; check its supply and ground, and the pull-up")
	case !d.field.Contains(t):
		return fmt.Errorf("%v °C is not what the chip can measure: the transfer was disturbed, or the chip is damaged", t)
	}
	return nil
}

// Close does nothing: the chip sleeps between measurements.
func (d *Dev) Close() error { return nil }

// Devices returns the ids of the sensors that this driver reads on this machine.
func Devices() []string {
	sensors, _, _ := attached("/" + bus)
	return sensors
}
