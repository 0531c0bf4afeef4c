package record

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// DecodeOptions sets a driver's options, a pointer as its Spec makes, to those of the recording.
func (r *Recording) DecodeOptions(options any) error {
	return decode(r.Options, reflect.ValueOf(options).Elem(), "options")
}

// encode returns options as the configuration has them: with its names, and durations as text.
func encode(v reflect.Value) any {
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.Struct:
		table := map[string]any{}
		for i := range v.NumField() {
			if name := key(v.Type().Field(i)); name != "" && !absent(v.Field(i)) {
				table[name] = encode(v.Field(i))
			}
		}
		return table
	case reflect.Map:
		table := map[string]any{}
		for _, k := range v.MapKeys() {
			table[k.String()] = encode(v.MapIndex(k))
		}
		return table
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = encode(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// absent describes a value that the configuration does not set.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return v.IsNil()
	}
	return false
}

// key returns the configuration's name of an option; "" for what is none.
func key(f reflect.StructField) string {
	if name := f.Tag.Get("toml"); name != "-" {
		return name
	}
	return ""
}

// decode is the inverse of encode. What text does not name keeps what v had.
func decode(text json.RawMessage, v reflect.Value, path string) error {
	if d, ok := v.Addr().Interface().(*time.Duration); ok {
		var s string
		err := json.Unmarshal(text, &s)
		if err == nil {
			*d, err = time.ParseDuration(s)
		}
		return within(path, err)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decode(text, v.Elem(), path)
	case reflect.Struct:
		return decodeStruct(text, v, path)
	case reflect.Map:
		var table map[string]json.RawMessage
		if err := json.Unmarshal(text, &table); err != nil {
			return within(path, err)
		}
		v.Set(reflect.MakeMap(v.Type()))
		for name, t := range table {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := decode(t, e, path+"."+name); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(name), e)
		}
		return nil
	case reflect.Slice:
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return within(path, err)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, t := range list {
			if err := decode(t, v.Index(i), fmt.Sprintf("%s.%d", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return within(path, json.Unmarshal(text, v.Addr().Interface()))
}

func decodeStruct(text json.RawMessage, v reflect.Value, path string) error {
	var table map[string]json.RawMessage
	if err := json.Unmarshal(text, &table); err != nil {
		return within(path, err)
	}
	for i := range v.NumField() {
		name := key(v.Type().Field(i))
		t, ok := table[name]
		if name == "" || !ok {
			continue
		}
		delete(table, name)
		if err := decode(t, v.Field(i), path+"."+name); err != nil {
			return err
		}
	}
	for name := range table {
		return fmt.Errorf("%s has no option %q", path, name)
	}
	return nil
}

func within(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}
