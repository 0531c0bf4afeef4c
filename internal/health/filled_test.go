package health_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestEveryMemberIsFilled: with all figures set, each member of P/health has a value while the
// queue grows, or while it drains.
func TestEveryMemberIsFilled(t *testing.T) {
	var f health.Figures
	set(reflect.ValueOf(&f).Elem())
	f.Up, f.Flash.Span, f.Endurance, f.Store.MaxBytes, f.Store.Full = time.Hour, time.Hour, 1e12, 1<<30, false
	m := health.New(func() health.Figures { return f })
	filled := map[string]bool{}
	for _, delivered := range []uint64{5, 20} { // and 10 are taken
		for range 120 {
			f.Up += 10 * time.Second
			f.Store.Appended += 10
			f.Delivered += delivered
			f.Store.Bytes++
			f.Store.WrittenBytes++
			look(filled, "health", reflect.ValueOf(m.Snapshot()))
		}
	}
	for member, is := range filled {
		if !is {
			t.Errorf("%s is never filled", member)
		}
	}
}

// look notes for each member of a document whether it had a value, now or before.
func look(filled map[string]bool, member string, v reflect.Value) {
	filled[member] = filled[member] || !v.IsZero()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			look(filled, member, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			look(filled, member+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			look(filled, member+"."+k.String(), v.MapIndex(k))
		}
	}
}

// set gives every part of v, settable, that is exported a value.
func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem())
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*time.Time); ok {
			*at = time.Unix(1, 0)
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				set(v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			set(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		set(key)
		set(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		v.Set(reflect.ValueOf(errors.New("x")))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		if v.CanInt() {
			v.SetInt(1)
		} else {
			v.SetUint(1)
		}
	}
}
