package drivertest

import (
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

func (s Suite) spec(t *testing.T) {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(s.Spec.Name) {
		t.Errorf("name %q is not lower case", s.Spec.Name)
	}
	if s.Spec.Doc == "" {
		t.Error("the driver has no Doc")
	}
	seen := map[string]bool{}
	for _, f := range s.Spec.Fields(s.prepared()) {
		if !drivers.IsFieldName(f.Name) || seen[f.Name] {
			t.Errorf("field %q is not in lower-case snake case, or there twice", f.Name)
		}
		seen[f.Name] = true
		if f.Kind == drivers.KindBad || f.Describe() == "" {
			t.Errorf("field %s has no kind or no Doc", f.Name)
		}
		if isNumber(f.Kind) && !(f.Min < f.Max) {
			t.Errorf("field %s has no Range: say drivers.Between, AtLeast or AnyNumber", f.Name)
		}
	}
	if len(seen) == 0 {
		t.Error("the driver has no fields")
	}
}

func isNumber(k drivers.Kind) bool { return k == drivers.KindFloat || k == drivers.KindInt }

func (s Suite) options(t *testing.T) {
	a, b := s.Spec.Options(), s.Spec.Options()
	v := reflect.ValueOf(a)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		t.Fatalf("Options returns %T, want a pointer to a struct", a)
	}
	if a == b {
		t.Error("Options returns the same pointer twice: sensors would share their options")
	}
	checkOptions(t, "", v.Elem())
	s.limits(t)
	if c, ok := s.prepared().(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			t.Errorf("Check of good options: %v", err)
		}
	}
}

// checkOptions checks that every exported field can be decoded into and is described, and that no
// default is shared.
func checkOptions(t *testing.T, path string, v reflect.Value) {
	for i := range v.NumField() {
		f, name := v.Type().Field(i), path+v.Type().Field(i).Name
		if !f.IsExported() {
			continue
		}
		if !drivers.IsFieldName(f.Tag.Get("toml")) {
			t.Errorf("option %s has the toml tag %q, want lower-case snake case", name, f.Tag.Get("toml"))
		}
		if f.Tag.Get("doc") == "" {
			t.Errorf("option %s has no doc tag: one line for the operator, with unit and range", name)
		}
		switch f.Type.Kind() {
		case reflect.Slice, reflect.Map:
			if f.Type.Elem().Kind() == reflect.Struct {
				checkOptions(t, name+".", reflect.Zero(f.Type.Elem()))
			}
			if !v.Field(i).IsNil() {
				t.Errorf("option %s has a default that all sensors would share; let nil mean it", name)
			}
		case reflect.Pointer:
			if f.Type.Elem().Kind() == reflect.Pointer || f.Type.Elem().Kind() == reflect.Struct {
				t.Errorf("option %s is a %s; want a pointer to a number, a bool or a string", name, f.Type)
			}
			if !v.Field(i).IsNil() {
				t.Errorf("option %s has a default that all sensors would share; let nil mean it", name)
			}
		case reflect.Struct:
			checkOptions(t, name+".", v.Field(i))
		case reflect.Interface, reflect.Func, reflect.Chan:
			t.Errorf("option %s is a %s, which the configuration cannot set", name, f.Type)
		}
	}
}

// limits checks that Check refuses a number that no device takes. What has no bus may be asked for
// any.
func (s Suite) limits(t *testing.T) {
	if s.Spec.Bus == drivers.NoBus {
		return
	}
	for i := range reflect.TypeOf(s.prepared()).Elem().NumField() {
		for _, number := range []int64{-1e9, 1e9} {
			o := s.prepared()
			f, v := reflect.TypeOf(o).Elem().Field(i), reflect.ValueOf(o).Elem().Field(i)
			switch {
			case f.IsExported() && f.Type == reflect.TypeFor[time.Duration]():
				v.SetInt(number * int64(time.Second))
			case f.IsExported() && v.CanInt() && !v.OverflowInt(number):
				v.SetInt(number)
			case f.IsExported() && v.CanFloat():
				v.SetFloat(float64(number))
			default:
				continue
			}
			if c, ok := o.(interface{ Check() error }); !ok || c.Check() == nil {
				t.Errorf("Check accepts option %s = %v: it has no limits", f.Name, v)
			}
		}
	}
}
