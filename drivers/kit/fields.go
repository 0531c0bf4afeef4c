package kit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// Fields are what a driver can measure, for drivers whose option "fields" chooses among it. M is
// what the driver knows of a field beside its description, which Of returns.
type Fields[M any] struct {
	All   []M
	Of    func(M) drivers.Field
	Usual []string // names, without the option
}

// Names returns the names of all fields that there are.
func (f Fields[M]) Names() []string {
	names := make([]string, len(f.All))
	for i, m := range f.All {
		names[i] = f.Of(m).Name
	}
	return names
}

// Chosen returns those that the option names, in its order; the usual ones if it is nil.
func (f Fields[M]) Chosen(option []string) []M {
	if option == nil {
		option = f.Usual
	}
	var chosen []M
	for _, name := range option {
		if i := slices.Index(f.Names(), name); i >= 0 {
			chosen = append(chosen, f.All[i])
		}
	}
	return chosen
}

// Describe returns the descriptions of those that the option names.
func (f Fields[M]) Describe(option []string) []drivers.Field {
	var list []drivers.Field
	for _, m := range f.Chosen(option) {
		list = append(list, f.Of(m))
	}
	return list
}

// Check reports what is wrong with the option.
func (f Fields[M]) Check(option []string) error {
	names := f.Names()
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, &drivers.OptionError{Key: "fields", Err: fmt.Errorf(format, args...)})
	}
	if option != nil && len(option) == 0 {
		wrong("it is empty; leave it out, or name some of %s", strings.Join(names, ", "))
	}
	for i, name := range option {
		switch {
		case !slices.Contains(names, name):
			wrong("%q is none of %s", name, strings.Join(names, ", "))
		case slices.Contains(option[:i], name):
			wrong("%q is there twice", name)
		}
	}
	return errors.Join(errs...)
}
