package iio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/sysfs"
)

// Options are what the configuration may set.
type Options struct {
	Name     string            `toml:"name" doc:"what the device's kernel driver calls it: the file name in /sys/bus/iio/devices/iio:deviceN, such as dps310"`
	Device   string            `toml:"device" doc:"where it is attached, to tell devices of one name apart: a part of its path in /sys/devices, such as 1-0077"`
	Channels map[string]string `toml:"channels" doc:"by the names of the fields, the kernel's names of the channels: temp, pressure, humidityrelative, voltage0, voltage0-voltage1, illuminance, accel_x; default temperature, which is temp"`

	root string // where /sys is, for tests
}

// Spec is the driver's entry in the table.
var Spec = drivers.Machine("iio", "any sensor or converter of the kernel's industrial I/O: temperature, pressure, humidity, voltage and others", Options{root: "/"}, fields, open)

const pattern = "sys/bus/iio/devices/iio:device*" // below the root

// A quantity is what the channels of one kind measure.
type quantity struct {
	kind  string
	unit  string
	times float64 // the ABI's unit
	per   float64
}

func quantities() []quantity {
	return []quantity{
		{"temp", drivers.Temperature.Unit(), 1, 1e3},
		{"pressure", drivers.Pressure.Unit(), 1e3, 1},
		{"humidityrelative", drivers.Humidity.Unit(), 1, 1e3},
		{"voltage", drivers.Voltage.Unit(), 1, 1e3},
		{"current", drivers.Current.Unit(), 1, 1e3},
		{"power", drivers.Power.Unit(), 1, 1e3},
		{"energy", drivers.Energy.Unit(), 1, 1},
		{"resistance", drivers.Resistance.Unit(), 1, 1},
		{"illuminance", drivers.Illuminance.Unit(), 1, 1},
		{"intensity", "", 1, 1},
		{"concentration", drivers.PPM.Unit(), 1e4, 1}, // from percent
		{"massconcentration", drivers.Dust.Unit(), 1, 1},
		{"distance", drivers.Distance.Unit(), 1, 1},
		{"proximity", "", 1, 1},
		{"accel", "m/s2", 1, 1},
		{"anglvel", "rad/s", 1, 1},
		{"magn", "T", 1, 1e4}, // from Gauss
		{"angl", "rad", 1, 1},
		{"rot", drivers.Angle.Unit(), 1, 1},
		{"count", "", 1, 1},
		{"ph", "pH", 1, 1},
	}
}

func kindOf(channel string) (quantity, bool) {
	all, kind := quantities(), sysfs.Kind(channel)
	i := slices.IndexFunc(all, func(q quantity) bool { return q.kind == kind })
	if i < 0 {
		return quantity{}, false
	}
	return all[i], true
}

var (
	fieldForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	channelForm = regexp.MustCompile(`^[a-z]+[a-z0-9_-]*$`)
)

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
	}
	if o.Name == "" {
		wrong("name", "it is missing: fieldgate scan lists the names that there are")
	}
	if o.Channels != nil && len(o.Channels) == 0 {
		wrong("channels", "it is empty; leave it out for temperature, which is temp")
	}
	for _, field := range slices.Sorted(maps.Keys(o.Channels)) {
		channel := o.Channels[field]
		switch _, known := kindOf(channel); {
		case !fieldForm.MatchString(field):
			wrong("channels."+field, "the name of a field is lower-case letters, digits and _")
		case !known || !channelForm.MatchString(channel):
			var kinds []string
			for _, q := range quantities() {
				kinds = append(kinds, q.kind)
			}
			wrong("channels."+field, "%q begins with none of %s", channel, strings.Join(kinds, ", "))
		}
	}
	return errors.Join(errs...)
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
		q, _ := kindOf(channels[name])
		all = append(all, drivers.Field{Name: name, Unit: q.unit, Kind: drivers.KindFloat, Doc: strings.TrimSpace(channels[name] + " of " + o.Name)})
	}
	return all
}

func open(ctx context.Context, o Options) (drivers.Driver, error) {
	return sysfs.Open(ctx, "iio", filepath.Join(o.root, pattern), o.Name, o.Device, o.channels(), find)
}

// find returns what reads a channel.
func find(folder, channel string) (func() (float64, error), error) {
	q, _ := kindOf(channel)
	base := filepath.Join(folder, "in_"+channel)
	if sysfs.Exists(base + "_input") {
		return func() (float64, error) {
			v, err := sysfs.Number(base + "_input")
			return v * q.times / q.per, err
		}, nil
	}
	if !sysfs.Exists(base + "_raw") {
		return nil, fmt.Errorf("it has no channel %s; it has %s", channel, strings.Join(inputs(folder), ", "))
	}
	// Several channels of a kind may share their scale and offset.
	shared := []string{channel, q.kind}
	if strings.Contains(channel, "-") {
		shared = []string{channel, q.kind + "-" + q.kind, q.kind}
	}
	scale, offset := first(folder, shared, "_scale"), first(folder, shared, "_offset")
	return func() (v float64, err error) {
		if v, err = sysfs.Number(base + "_raw"); err != nil {
			return 0, err
		}
		if offset != "" {
			o, err := sysfs.Number(offset)
			if err != nil {
				return 0, err
			}
			v += o
		}
		if scale != "" {
			s, err := sysfs.Number(scale)
			if err != nil {
				return 0, err
			}
			v *= s
		}
		return v * q.times / q.per, nil
	}, nil
}

// first returns the first file that there is of several channels, "" where there is none.
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
