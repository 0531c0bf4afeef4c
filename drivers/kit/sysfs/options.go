package sysfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Quantity is what the channels of one kind measure.
type Quantity struct {
	Kind       string  // see Kind
	Unit       string  // SenML's
	Times, Per float64 // the kernel's number times Times, divided by Per, is in the unit
}

// InUnit returns the kernel's number in the unit.
func (q Quantity) InUnit(v float64) float64 { return drivers.NewLinear(q.Times/q.Per, 0).Apply(v) }

// QuantityOf returns that of a channel; false: there is none.
func QuantityOf(all []Quantity, channel string) (Quantity, bool) {
	kind := Kind(channel)
	i := slices.IndexFunc(all, func(q Quantity) bool { return q.Kind == kind })
	if i < 0 {
		return Quantity{}, false
	}
	return all[i], true
}

// Doc says what a field is: the channel, its label if it has one, and the device if that is known.
func Doc(device, channel, label string) string {
	doc := channel
	if label != "" {
		doc += " " + label
	}
	if device != "" {
		doc += " of " + device
	}
	return doc
}

// CheckOptions reports what is wrong with the options of a driver: the name of a device, and its
// channels by the names of the fields, of which usual is the default. check reports what is wrong
// with one of them, of which key is the option.
func CheckOptions[C any](name string, channels map[string]C, usual string, check func(key string, c C) error) error {
	var errs []error
	if name == "" {
		errs = append(errs, &drivers.OptionError{Key: "name", Err: errors.New("it is missing: fieldgate scan lists the names that there are")})
	}
	if channels != nil && len(channels) == 0 {
		errs = append(errs, &drivers.OptionError{Key: "channels", Err: fmt.Errorf("it is empty; leave it out for temperature, which is %s", usual)})
	}
	for _, field := range slices.Sorted(maps.Keys(channels)) {
		key := "channels." + field
		if !drivers.IsFieldName(field) {
			errs = append(errs, &drivers.OptionError{Key: key, Err: errors.New("the name of a field is lower-case letters, digits and _")})
		} else if err := check(key, channels[field]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
