package iio

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
	Name     string            `toml:"name" doc:"what the device's kernel driver calls it: the file name in /sys/bus/iio/devices/iio:deviceN, such as dps310"`
	Device   string            `toml:"device" doc:"where it is attached, to distinguish devices of the same name: a part of its path in /sys/devices, such as 1-0077"`
	Channels map[string]string `toml:"channels" doc:"by the names of the fields, the kernel's names of the channels: temp, pressure, humidityrelative, voltage0, voltage0-voltage1, illuminance, accel_x; default temperature, which is temp"`
	Invalid  []float64         `toml:"invalid" doc:"raw numbers, as the files in_…_raw and in_…_input have them, with which the kernel says that it has no value: the field is Bad then"`

	root string // where /sys is, for tests; "" is /
}

// Spec is the driver's entry in the table.
var Spec = drivers.Machine("iio", "any sensor or converter of the kernel's industrial I/O: temperature, pressure, humidity, voltage and others", Options{}, fields, Open)

const pattern = "sys/bus/iio/devices/iio:device*" // below the root

func quantities() []sysfs.Quantity {
	return []sysfs.Quantity{
		{Kind: "temp", Unit: drivers.Temperature.Unit(), Times: 1, Per: 1e3},
		{Kind: "pressure", Unit: drivers.Pressure.Unit(), Times: 1e3, Per: 1},
		{Kind: "humidityrelative", Unit: drivers.Humidity.Unit(), Times: 1, Per: 1e3},
		{Kind: "voltage", Unit: drivers.Voltage.Unit(), Times: 1, Per: 1e3},
		{Kind: "current", Unit: drivers.Current.Unit(), Times: 1, Per: 1e3},
		{Kind: "power", Unit: drivers.Power.Unit(), Times: 1, Per: 1e3},
		{Kind: "energy", Unit: drivers.Energy.Unit(), Times: 1, Per: 1},
		{Kind: "resistance", Unit: drivers.Resistance.Unit(), Times: 1, Per: 1},
		{Kind: "illuminance", Unit: drivers.Illuminance.Unit(), Times: 1, Per: 1},
		{Kind: "intensity", Unit: "", Times: 1, Per: 1},
		{Kind: "concentration", Unit: drivers.PPM.Unit(), Times: 1e4, Per: 1}, // from percent
		{Kind: "massconcentration", Unit: drivers.Dust.Unit(), Times: 1, Per: 1},
		{Kind: "distance", Unit: drivers.Distance.Unit(), Times: 1, Per: 1},
		{Kind: "proximity", Unit: "", Times: 1, Per: 1},
		{Kind: "accel", Unit: "m/s2", Times: 1, Per: 1},
		{Kind: "anglvel", Unit: "rad/s", Times: 1, Per: 1},
		{Kind: "magn", Unit: "T", Times: 1, Per: 1e4}, // from Gauss
		{Kind: "angl", Unit: "rad", Times: 1, Per: 1},
		{Kind: "rot", Unit: drivers.Angle.Unit(), Times: 1, Per: 1},
		{Kind: "count", Unit: "", Times: 1, Per: 1},
		{Kind: "ph", Unit: "pH", Times: 1, Per: 1},
	}
}

var channelForm = regexp.MustCompile(`^[a-z]+[a-z0-9_-]*$`)

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	return sysfs.CheckOptions(o.Name, o.Channels, "temp", func(key, channel string) error {
		if _, known := sysfs.QuantityOf(quantities(), channel); known && channelForm.MatchString(channel) {
			return nil
		}
		var kinds []string
		for _, q := range quantities() {
			kinds = append(kinds, q.Kind)
		}
		return &drivers.OptionError{Key: key, Err: fmt.Errorf("%q begins with none of %s", channel, strings.Join(kinds, ", "))}
	})
}

// channels returns the channels by their fields.
func (o *Options) channels() map[string]string {
	if o.Channels == nil {
		return map[string]string{"temperature": "temp"}
	}
	return o.Channels
}

func fields(o *Options) []drivers.Field {
	var all []drivers.Field
	channels := o.channels()
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		q, _ := sysfs.QuantityOf(quantities(), channels[name])
		all = append(all, drivers.Field{Name: name, Unit: q.Unit, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: sysfs.Doc(o.Name, channels[name], "")})
	}
	return all
}

// Open finds the device and its channels. The options must pass Check.
func Open(ctx context.Context, o Options) (*sysfs.Meter, error) {
	return sysfs.Open(ctx, "iio", filepath.Join("/", o.root, pattern), o.Name, o.Device, o.channels(), o.find)
}

// find returns what reads a channel.
func (o *Options) find(folder, channel string) (func() (float64, error), error) {
	q, _ := sysfs.QuantityOf(quantities(), channel)
	base := filepath.Join(folder, "in_"+channel)
	if sysfs.Exists(base + "_input") {
		return func() (float64, error) {
			v, err := sysfs.Measured(base+"_input", o.Invalid)
			return q.InUnit(v), err
		}, nil
	}
	if !sysfs.Exists(base + "_raw") {
		return nil, fmt.Errorf("it has no channel %s; it has %s", channel, strings.Join(inputs(folder), ", "))
	}
	// Several channels of a kind may share their scale and offset.
	shared := []string{channel, q.Kind}
	if strings.Contains(channel, "-") {
		shared = []string{channel, q.Kind + "-" + q.Kind, q.Kind}
	}
	scale, offset := first(folder, shared, "_scale"), first(folder, shared, "_offset")
	return func() (v float64, err error) {
		if v, err = sysfs.Measured(base+"_raw", o.Invalid); err != nil {
			return 0, err
		}
		if offset != "" {
			more, err := sysfs.Number(offset)
			if err != nil {
				return 0, err
			}
			v = drivers.NewLinear(1, more).Apply(v)
		}
		if scale != "" {
			s, err := sysfs.Number(scale)
			if err != nil {
				return 0, err
			}
			v = drivers.NewLinear(s, 0).Apply(v)
		}
		return q.InUnit(v), nil
	}, nil
}

// first returns the first file that there is of several channels, "" if there is none.
func first(folder string, channels []string, end string) string {
	for _, c := range channels {
		if file := filepath.Join(folder, "in_"+c+end); sysfs.Exists(file) {
			return file
		}
	}
	return ""
}

// inputs returns the names of the channels that a device has.
func inputs(folder string) []string {
	var names []string
	for _, end := range []string{"_input", "_raw"} {
		files, _ := filepath.Glob(filepath.Join(folder, "in_*"+end))
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "in_"), end)
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
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
