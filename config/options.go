package config

import (
	"errors"
	"reflect"
	"slices"

	"github.com/fieldgate/fieldgate/drivers"
)

// A profiled is options that can be those of a known device, over which the sensor's own are laid.
type profiled interface {
	ProfileNames() []string
	UseProfile(name string) error
}

// useProfile sets the options of a sensor to those of the profile that it names, if it names one.
// It is false if that is not known, and so what the options are.
func (b *binder) useProfile(n *node, options any, path string) bool {
	o, ok := options.(profiled)
	if !ok || n == nil || n.table["profile"] == nil {
		return true
	}
	at := n.table["profile"].val
	name, ok := n.table["profile"].scalar.(string)
	if !ok { // binding it reports that
		return false
	}
	if known := o.ProfileNames(); !slices.Contains(known, name) {
		b.report(at, "%s.profile: there is no profile %q%s; docs/modbus-profiles.md has all", path, name, DidYouMean(name, known))
		return false
	}
	if err := o.UseProfile(name); err != nil {
		b.report(at, "%s.profile: %v", path, err)
		return false
	}
	return true
}

// bindOptions decodes the options of a sensor into its driver's struct, and then knows its fields.
// It reports whether it could.
func (b *binder) bindOptions(s *Sensor, path string) bool {
	mistakes := len(b.problems)
	n, _ := s.Options.(*node)
	s.Options = s.Spec.Options()
	known := b.useProfile(n, s.Options, path+".options")
	if n != nil {
		b.bind(n, reflect.ValueOf(s.Options).Elem(), path+".options")
	}
	if c, ok := s.Options.(interface{ Check() error }); ok && known {
		b.optionErrors(c.Check(), path+".options")
	}
	if len(b.problems) > mistakes { // which fields there are is not known, but what is wrong in any of them is
		for _, name := range sortedMapKeys(s.Fields) {
			b.optionErrors(s.Fields[name].Check(drivers.KindFloat), path+".field."+name)
		}
		return false
	}
	s.fields = b.bindOutput(s, s.Spec.Fields(s.Options), path)
	return true
}

// optionErrors reports what a driver's Check found, each at its key.
func (b *binder) optionErrors(err error, path string) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			b.optionErrors(e, path)
		}
		return
	}
	if o := (*drivers.OptionError)(nil); errors.As(err, &o) {
		b.report(b.at(path+"."+o.Key), "%s.%s: %v", path, o.Key, o.Err)
		return
	}
	b.report(b.at(path), "%s: %v", path, err)
}
