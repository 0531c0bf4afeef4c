package modbus

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/fieldgate/fieldgate/drivers"
)

//go:embed profiles/*.toml
var profileFiles embed.FS

// A Profile is a file of the folder profiles: a device, how it is set up when it is new, and what
// its registers mean.
type Profile struct {
	Name   string   `toml:"-"`      // the file's, and the option's
	Maker  string   `toml:"maker"`  // as it is printed on the device
	Models []string `toml:"models"` // those that have these registers
	// Note is what whoever reads such a device has to know: settings of the device, fields whose
	// meaning the sources disagree about and how that was decided.
	Note string `toml:"note"`
	// Evidence is how sure the registers are: manual (the maker's document was read), two-sources
	// (two implementations that do not copy each other agree), or one-source.
	Evidence string   `toml:"evidence"`
	Sources  []string `toml:"sources"` // by name and revision
	// Options are those of the driver that the device needs. Those of serial lines are passed over
	// in the network.
	Options   map[string]any `toml:"options"`
	Registers []Register     `toml:"registers"`
	Identify  []Trait        `toml:"identify"`
}

// A Trait is what a device of a profile answers, and others hardly do.
type Trait struct {
	Table   string   `toml:"table"` // as that of a Register
	Address int      `toml:"address"`
	Type    string   `toml:"type"`
	Length  int      `toml:"length"`
	Equals  []any    `toml:"equals"` // one of these numbers or texts
	Min     *float64 `toml:"min"`    // or from Min
	Max     *float64 `toml:"max"`    // to Max
}

// Evidences are the words of Profile.Evidence.
func Evidences() []string { return []string{"manual", "two-sources", "one-source"} }

// Profiles returns all profiles in the order of their names.
func Profiles() ([]Profile, error) {
	files, err := profileFiles.ReadDir("profiles")
	if err != nil {
		return nil, err
	}
	var all []Profile
	for _, f := range files {
		p, err := readProfile(strings.TrimSuffix(f.Name(), ".toml"))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func readProfile(name string) (Profile, error) {
	text, err := profileFiles.ReadFile(path.Join("profiles", name+".toml"))
	if err != nil {
		return Profile{}, err
	}
	p := Profile{Name: name}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	return p, nil
}

// profileNames returns the names of all profiles.
func profileNames() []string {
	files, _ := profileFiles.ReadDir("profiles") // embedded: it is there
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".toml")
	}
	return names
}

// ProfileNames are the values of the option profile.
func (o *RTU) ProfileNames() []string { return profileNames() }

// ProfileNames are the values of the option profile.
func (o *TCP) ProfileNames() []string { return profileNames() }

// UseProfile sets the options to those of a device, before the sensor's own are laid over them.
func (o *RTU) UseProfile(name string) error { return useProfile(name, o, &o.Registers) }

// UseProfile sets the options to those of a device, before the sensor's own are laid over them.
func (o *TCP) UseProfile(name string) error { return useProfile(name, o, &o.Registers) }

func useProfile(name string, options any, registers *[]Register) error {
	p, err := readProfile(name)
	if err != nil {
		return err
	}
	*registers = p.Registers
	v := reflect.ValueOf(options).Elem()
	for key, value := range p.Options {
		if field, ok := optionField(v, key); ok {
			if err := setOption(field, value); err != nil {
				return fmt.Errorf("profile %s: option %s: %w", name, key, err)
			}
		}
	}
	return nil
}

// optionField returns the field of a struct of options with a key.
func optionField(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// setOption sets a field to a value of a TOML file.
func setOption(field reflect.Value, value any) error {
	if text, ok := value.(string); ok && field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		value = d
	}
	v := reflect.ValueOf(value)
	if !v.CanConvert(field.Type()) || v.Kind() == reflect.Int64 && field.Kind() == reflect.String {
		return fmt.Errorf("%v is not a %s", value, field.Type())
	}
	field.Set(v.Convert(field.Type()))
	return nil
}

// checkChoice reports each of the fields that no register has, or that is there twice.
func checkChoice(registers []Register, fields []string) error {
	var known []string
	for _, r := range registers {
		if !slices.Contains(known, r.Field) {
			known = append(known, r.Field)
		}
	}
	var errs []error
	for i, name := range fields {
		switch {
		case !slices.Contains(known, name):
			errs = append(errs, &drivers.OptionError{Key: "fields", Err: fmt.Errorf("%q is none of the registers' fields: %s", name, strings.Join(known, ", "))})
		case slices.Contains(fields[:i], name):
			errs = append(errs, &drivers.OptionError{Key: "fields", Err: fmt.Errorf("%q is there twice", name)})
		}
	}
	return errors.Join(errs...)
}

// chosen returns the registers of the fields that are named, in that order; all if none is.
func chosen(registers []Register, fields []string) []Register {
	if fields == nil {
		return registers
	}
	var some []Register
	for _, name := range fields {
		for _, r := range registers {
			if r.Field == name {
				some = append(some, r)
			}
		}
	}
	return some
}
