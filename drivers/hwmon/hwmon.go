package hwmon

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

// Options are what the configuration may set.
type Options struct {
	Name     string             `toml:"name" doc:"what the device's kernel driver calls it: the file name in /sys/class/hwmon/hwmonN, such as ds3231 or cpu_thermal"`
	Device   string             `toml:"device" doc:"where it is attached, to distinguish devices of the same name: a part of its path in /sys/devices, such as 1-0068"`
	Channels map[string]Channel `toml:"channels" doc:"by the names of the fields, what they are; default temperature, which is temp1"`
	Invalid  []float64          `toml:"invalid" doc:"raw numbers, as the channel's file has them, with which the kernel says that it has no value: the field is Bad then"`

	root string // where /sys is, for tests; "" is /
}

// A Channel is one of the device's.
type Channel struct {
	Input string `toml:"input" doc:"temp1, in0, curr1, power1, energy1, humidity1, fan1 or freq1; without the number if label is set"`
	Label string `toml:"label" doc:"text of the channel's label file, such as \"Core 0\", instead of a number that may change"`
}

// Spec is the driver's entry in the table.
var Spec = drivers.Machine("hwmon", "any device of the kernel's hardware monitoring: temperature, voltage, current, power and others", Options{}, fields, Open)

const pattern = "sys/class/hwmon/hwmon*" // below the root

func quantities() []sysfs.Quantity {
	return []sysfs.Quantity{
		{Kind: "temp", Unit: drivers.Temperature.Unit(), Times: 1, Per: 1e3},
		{Kind: "in", Unit: drivers.Voltage.Unit(), Times: 1, Per: 1e3},
		{Kind: "curr", Unit: drivers.Current.Unit(), Times: 1, Per: 1e3},
		{Kind: "power", Unit: drivers.Power.Unit(), Times: 1, Per: 1e6},
		{Kind: "energy", Unit: drivers.Energy.Unit(), Times: 1, Per: 1e6},
		{Kind: "humidity", Unit: drivers.Humidity.Unit(), Times: 1, Per: 1e3},
		{Kind: "fan", Unit: "1/min", Times: 1, Per: 1},
		{Kind: "freq", Unit: drivers.Frequency.Unit(), Times: 1, Per: 1},
	}
}

var inputForm = regexp.MustCompile(`^[a-z]+[0-9]*$`)

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return sysfs.CheckOptions(o.Name, o.Channels, "temp1", func(key string, c Channel) error {
		numbered := sysfs.Kind(c.Input) != c.Input
		_, known := sysfs.QuantityOf(quantities(), c.Input)
		var err error
		switch {
		case !known || !inputForm.MatchString(c.Input):
			err = fmt.Errorf("%q; want temp, in, curr, power, energy, humidity, fan or freq, and a number", c.Input)
		case c.Label == "" && !numbered:
			err = fmt.Errorf("%q has no number: write %s1, or choose by label", c.Input, c.Input)
		case c.Label != "" && numbered:
			err = fmt.Errorf("%q has a number and a label: leave one out", c.Input)
		default:
			return nil
		}
		return &drivers.OptionError{Key: key + ".input", Err: err}
	})
}

// channels returns the channels by their fields.
func (o *Options) channels() map[string]Channel {
	if o.Channels == nil {
		return map[string]Channel{"temperature": {Input: "temp1"}}
	}
	return o.Channels
}

func fields(o *Options) []drivers.Field {
	var all []drivers.Field
	channels := o.channels()
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		c := channels[name]
		q, _ := sysfs.QuantityOf(quantities(), c.Input)
		all = append(all, drivers.Field{Name: name, Unit: q.Unit, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: sysfs.Doc(o.Name, c.Input, c.Label)})
	}
	return all
}

// Open finds the device and its channels. The options must pass Check.
func Open(ctx context.Context, o Options) (*sysfs.Meter, error) {
	return sysfs.Open(ctx, "hwmon", filepath.Join("/", o.root, pattern), o.Name, o.Device, o.channels(), o.find)
}

// find returns what reads a channel.
func (o *Options) find(folder string, c Channel) (func() (float64, error), error) {
	input := c.Input
	if c.Label != "" {
		var err error
		if input, err = labelled(folder, c); err != nil {
			return nil, err
		}
	}
	base := filepath.Join(folder, input)
	file := base + "_input"
	if !sysfs.Exists(file) && sysfs.Exists(base+"_average") {
		// power of devices that give no momentary one
		file = base + "_average"
	}
	if !sysfs.Exists(file) {
		return nil, fmt.Errorf("it has no %s; it has %s", input, strings.Join(inputs(folder), ", "))
	}
	q, _ := sysfs.QuantityOf(quantities(), input)
	return func() (float64, error) {
		if fault, err := sysfs.Text(base + "_fault"); err == nil && fault == "1" {
			return 0, sysfs.Fault("fault")
		}
		v, err := sysfs.Measured(file, o.Invalid)
		return q.InUnit(v), err
	}, nil
}

// labelled returns the name of the channel of a kind that has a label.
func labelled(folder string, c Channel) (string, error) {
	files, _ := filepath.Glob(filepath.Join(folder, c.Input+"[0-9]*_label"))
	var present []string
	for _, file := range files {
		label, err := sysfs.Text(file)
		if err != nil {
			continue
		}
		if label == c.Label {
			return strings.TrimSuffix(filepath.Base(file), "_label"), nil
		}
		present = append(present, fmt.Sprintf("%q", label))
	}
	if len(present) == 0 {
		return "", fmt.Errorf("no %s of it has a label: choose by number", c.Input)
	}
	return "", fmt.Errorf("no %s of it has the label %q; there are %s", c.Input, c.Label, strings.Join(present, ", "))
}

// inputs returns the names of the channels that a device has.
func inputs(folder string) []string {
	var names []string
	for _, end := range []string{"_input", "_average"} {
		files, _ := filepath.Glob(filepath.Join(folder, "*"+end))
		for _, file := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(file), end))
		}
	}
	return names
}

// Devices returns the devices of this machine.
func Devices() []sysfs.Listed {
	var all []sysfs.Listed
	for _, d := range sysfs.List(filepath.Join("/", pattern)) {
		all = append(all, sysfs.Listed{Name: d.Name, Device: d.Place, Channels: inputs(d.Folder)})
	}
	return all
}
