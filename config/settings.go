package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Setting is a key outside of [[sensor]], its value as a file would have it, and where that comes
// from.
type Setting struct {
	Key, Value string
	// From is "default", "platform aws", "line metered", or file and line.
	From string
}

// lineKeys say how the line is used.
var lineKeys = []string{"mqtt.online", "mqtt.publish_rate", "mqtt.bytes_rate", "mqtt.message_max", "mqtt.drain_delay_max", "mqtt.bytes_per_day", "telemetry.linger", "telemetry.compress"}

// InForce returns the settings that a preset makes, or would if no file made them again, and those
// of a file that say how the line is used.
func (c *Config) InForce() []Setting {
	return slices.DeleteFunc(slices.Clone(c.settings), func(s Setting) bool {
		return c.preset[s.Key] == "" && (s.From == "default" || !slices.Contains(lineKeys, s.Key))
	})
}

// Settings returns every key outside of [[sensor]] that has a value, in the order of the Config.
func (c *Config) Settings() []Setting { return c.settings }

func (b *binder) settings(c *Config) (list []Setting) {
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		t := v.Type()
		for i := range t.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
			f := v.Field(i)
			if key == "" || key == "-" || path == "" && key == "sensor" {
				continue
			}
			here := join(path, key)
			if f.Kind() == reflect.Struct {
				walk(f, here)
				continue
			}
			if f.Kind() == reflect.Pointer {
				if f.IsNil() {
					continue
				}
				f = f.Elem()
			}
			if f.IsZero() && !b.set(here) && f.Kind() != reflect.Bool && f.Type() != onlineType {
				continue // no value
			}
			list = append(list, b.setting(here, f))
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return list
}

func (b *binder) setting(key string, v reflect.Value) Setting {
	s := Setting{Key: key, Value: show(v), From: "default"}
	if n := b.place[key]; n != nil && n.val.file == b.preset[key] {
		s.From = n.val.file
	} else if n != nil {
		s.From = fmt.Sprintf("%s:%d", filepath.Base(n.val.file), n.val.line)
	}
	return s
}

// notePresets notes which keys a tree of presets sets.
func (b *binder) notePresets(n *node, path string) {
	switch {
	case n == nil:
	case n.table == nil:
		b.preset[path] = n.val.file
	default:
		for key, value := range n.table {
			b.notePresets(value, join(path, key))
		}
	}
}

// DurationText writes a duration as people do: 1h30m, not 1h30m0s.
func DurationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// show writes a value as TOML has it.
func show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return fmt.Sprintf("%q", DurationText(x))
	case fmt.Stringer:
		return fmt.Sprintf("%q", x)
	}
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Map: // of texts
		var parts []string
		for _, k := range v.MapKeys() {
			parts = append(parts, fmt.Sprintf("%s = %s", k, show(v.MapIndex(k))))
		}
		slices.Sort(parts)
		return "{ " + strings.Join(parts, ", ") + " }"
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
