package ads1115

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// Options are what the configuration may set.
type Options struct {
	Address  int                `toml:"address" doc:"0x48 to 0x4b: pin ADDR to ground, supply, SDA or SCL"`
	Rate     int                `toml:"rate" doc:"conversions per second; fewer have less noise. ADS1115: 8, 16, 32, 64, 128, 250, 475 or 860; ADS1015: 128, 250, 490, 920, 1600, 2400 or 3300"`
	Channels map[string]Channel `toml:"channels" doc:"what to measure, by the name of the field; default the four inputs in V, as a0 to a3"`

	variant variant
}

// A Channel is one field: scale × volts + offset.
type Channel struct {
	Input  string  `toml:"input" doc:"\"0\" to \"3\" against ground, or a difference: \"0-1\", \"0-3\", \"1-3\", \"2-3\""`
	Range  float64 `toml:"range" doc:"the largest voltage, in V: 6.144, 4.096 (default), 2.048, 1.024, 0.512 or 0.256. The inputs must never be above the supply"`
	Scale  float64 `toml:"scale" doc:"units per volt, default 1"`
	Offset float64 `toml:"offset" doc:"added after the scale, in units"`
	Unit   string  `toml:"unit" doc:"of the field, a SenML symbol; default V, and none with a scale or an offset"`
}

// factor returns the units per volt.
func (c Channel) factor() float64 {
	if c.Scale == 0 {
		return 1
	}
	return c.Scale
}

// fullScale returns the range.
func (c Channel) fullScale() float64 {
	if c.Range == 0 {
		return 4.096
	}
	return c.Range
}

// channels returns the channels, and the names of their fields in order.
func (o *Options) channels() ([]string, map[string]Channel) {
	all := o.Channels
	if all == nil {
		all = map[string]Channel{"a0": {Input: "0"}, "a1": {Input: "1"}, "a2": {Input: "2"}, "a3": {Input: "3"}}
	}
	return slices.Sorted(maps.Keys(all)), all
}

// inputs are the codes of the multiplexer.
func inputs() map[string]uint16 {
	return map[string]uint16{"0-1": 0, "0-3": 1, "1-3": 2, "2-3": 3, "0": 4, "1": 5, "2": 6, "3": 7}
}

// gains are the codes of the amplifier, by the range.
func gains() map[float64]uint16 {
	return map[float64]uint16{6.144: 0, 4.096: 1, 2.048: 2, 1.024: 3, 0.512: 4, 0.256: 5}
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	errs := []error{
		chip.CheckAddress(o.Address, chip.Addresses(0x48, 0x4b)...),
		kit.CheckOneOf("rate", o.Rate, slices.Sorted(maps.Keys(rates(o.variant)))...),
	}
	if o.Channels != nil && len(o.Channels) == 0 {
		errs = append(errs, &drivers.OptionError{Key: "channels", Err: errors.New("it is empty; leave it out for the four inputs")})
	}
	names, all := o.channels()
	for _, name := range names {
		wrong := func(bad bool, key, format string, args ...any) {
			if bad {
				errs = append(errs, &drivers.OptionError{Key: "channels." + name + key, Err: fmt.Errorf(format, args...)})
			}
		}
		c := all[name]
		wrong(!drivers.IsFieldName(name), "", "%q is not a lower-case name such as %q", name, "tank_level")
		_, ok := inputs()[c.Input]
		wrong(!ok, ".input", `%q; want "0", "1", "2", "3", or a difference: "0-1", "0-3", "1-3", "2-3"`, c.Input)
		_, ok = gains()[c.fullScale()]
		wrong(!ok, ".range", "%v V; want 6.144, 4.096, 2.048, 1.024, 0.512 or 0.256", c.Range)
	}
	return errors.Join(errs...)
}

func fields(o *Options) []drivers.Field {
	var fields []drivers.Field
	names, all := o.channels()
	for _, name := range names {
		c := all[name]
		f := kit.Field(name, drivers.Voltage, drivers.AnyNumber(), "input "+c.Input)
		if c.Unit != "" || c.factor() != 1 || c.Offset != 0 {
			f.Unit = c.Unit
		}
		fields = append(fields, f)
	}
	return fields
}
