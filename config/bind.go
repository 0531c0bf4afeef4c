package config

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	onlineType   = reflect.TypeFor[Online]()
	sizeType     = reflect.TypeFor[Size]()

	durationForm = regexp.MustCompile(`^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)
)

// binder copies a tree into Go values and reports what does not fit.
type binder struct {
	*reporter
	// place remembers where each bound value stands, for the checks that follow: path -> value.
	place map[string]*node
	// preset names the preset that sets a key: path -> its name.
	preset map[string]string
}

// bind copies n into the value that v, settable, is. Keys that are not in the tree keep what v had:
// the default.
func (b *binder) bind(n *node, v reflect.Value, path string) {
	b.place[path] = n
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		b.bind(n, v.Elem(), path)
		return
	}
	switch v.Type() {
	case durationType:
		b.duration(n, v, path)
		return
	case sizeType:
		b.size(n, v, path)
		return
	case onlineType:
		b.online(n, v, path)
		return
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok && b.text(n, t, path) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.table(n, v, path)
	case reflect.Map:
		b.mapping(n, v, path)
	case reflect.Slice:
		b.list(n, v, path)
	case reflect.Interface: // a sensor's options: bound later, when its driver is known
		v.Set(reflect.ValueOf(n))
	default:
		b.scalar(n, v, path)
	}
}

func (b *binder) table(n *node, v reflect.Value, path string) {
	if n.table == nil {
		b.wrong(n, path, "a table")
		return
	}
	fields := fieldsOf(v.Type())
	for _, k := range sortedKeys(n) {
		i, ok := fields[k]
		if !ok {
			known := slices.Sorted(maps.Keys(fields))
			hint := foreignKey(k, path)
			if hint == "" {
				hint = DidYouMean(k, known)
			}
			if hint == "" && strings.HasSuffix(path, ".options") && len(known) > 0 {
				hint = "; its options: " + strings.Join(known, ", ")
			}
			report := b.report
			if secretKey(k) {
				report = b.reportSecret
			}
			report(n.table[k].key, "unknown key %q%s%s", k, inTable(path), hint)
			continue
		}
		b.bind(n.table[k], v.Field(i), join(path, k))
	}
}

func (b *binder) mapping(n *node, v reflect.Value, path string) {
	if n.table == nil {
		b.wrong(n, path, "a table")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, k := range sortedKeys(n) {
		e := reflect.New(v.Type().Elem()).Elem()
		b.bind(n.table[k], e, join(path, k))
		v.SetMapIndex(reflect.ValueOf(k), e)
	}
}

func (b *binder) list(n *node, v reflect.Value, path string) {
	if n.list == nil {
		if n.table != nil {
			b.misfit(n, "%s must be a list, not a table: write [[%s]], with two brackets, before each", path, path)
		} else {
			b.wrong(n, path, "a list")
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1)) // so that nobody calls it empty
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.list), len(n.list))
	for i, e := range n.list {
		if d, ok := out.Index(i).Addr().Interface().(interface{ setDefaults() }); ok {
			d.setDefaults()
		}
		b.bind(e, out.Index(i), fmt.Sprintf("%s.%d", path, i))
	}
	v.Set(out)
}

// text gives a string, a number or a bool to a type that takes text. It is false for other nodes.
func (b *binder) text(n *node, t encoding.TextUnmarshaler, path string) bool {
	var text string
	switch s := n.scalar.(type) {
	case string:
		text = s
	case bool, int64:
		text = fmt.Sprint(s)
	case float64:
		text = strconv.FormatFloat(s, 'g', -1, 64)
	default:
		return false
	}
	if err := t.UnmarshalText([]byte(text)); err != nil {
		b.misfit(n, "%s: %v", path, err)
	}
	return true
}

func (b *binder) scalar(n *node, v reflect.Value, path string) {
	switch s := n.scalar.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(s)
			return
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(s)
			return
		}
	case int64:
		switch {
		case v.CanInt():
			if v.OverflowInt(s) {
				b.misfit(n, "%s is out of range: %d", path, s)
			}
			v.SetInt(s)
			return
		case v.CanUint():
			if s < 0 || v.OverflowUint(uint64(s)) {
				b.misfit(n, "%s is out of range: %d", path, s)
			}
			v.SetUint(uint64(s))
			return
		case v.CanFloat():
			v.SetFloat(float64(s))
			return
		}
	case float64:
		if v.CanFloat() {
			if math.IsNaN(s) || math.IsInf(s, 0) {
				b.misfit(n, "%s must be a finite number", path)
				return
			}
			v.SetFloat(s)
			return
		}
	}
	b.wrong(n, path, kindName(v.Kind()))
	if v.Kind() == reflect.String {
		v.SetString(n.describe()) // so that nobody calls it missing
	}
}

func (b *binder) duration(n *node, v reflect.Value, path string) {
	s, ok := n.scalar.(string)
	if !ok {
		if i, isInt := n.scalar.(int64); isInt {
			b.misfit(n, `%s needs a unit: write "%ds"`, path, i)
			return
		}
		b.wrong(n, path, `a duration such as "10s"`)
		return
	}
	d, err := time.ParseDuration(s)
	switch {
	case err == nil:
		v.SetInt(int64(d))
	case durationForm.MatchString(s):
		b.misfit(n, "%s: %q is too large for a duration: the maximum is 292 years", path, s)
	default:
		b.misfit(n, `%s: %q is not a duration: write a number and ms, s, m or h, such as "10s" or "1h30m"`, path, s)
	}
}

func (b *binder) size(n *node, v reflect.Value, path string) {
	switch s := n.scalar.(type) {
	case int64:
		if s < 0 {
			b.misfit(n, "%s must not be negative: %d", path, s)
			return
		}
		v.SetInt(s)
	case string:
		size, err := ParseSize(s)
		if err != nil {
			b.misfit(n, "%s: %v", path, err)
			return
		}
		v.SetInt(int64(size))
	default:
		b.wrong(n, path, `a size such as "256MiB"`)
	}
}

func (b *binder) wrong(n *node, path, want string) {
	if path == "" {
		path = "the configuration"
	}
	b.misfit(n, "%s must be %s, not %s", path, want, n.describe())
}

// misfit reports a value that cannot be taken, which makes whatever else is said of it untrue.
func (b *binder) misfit(n *node, format string, args ...any) {
	b.report(n.val, format, args...)
	b.distrust(n.val)
}

// describe names what a node is, for messages.
func (n *node) describe() string {
	switch {
	case n.table != nil:
		return "a table"
	case n.list != nil:
		return "a list"
	}
	switch s := n.scalar.(type) {
	case string:
		return fmt.Sprintf("the string %q", s)
	case int64, float64, bool:
		return fmt.Sprintf("%v", s)
	}
	return "a date"
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64, reflect.Float32:
		return "a number"
	}
	return "a whole number"
}

// fieldsOf maps the keys of a struct's `toml` tags to field indices. Fields without a tag are not
// the file's.
func fieldsOf(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ","); name != "" && name != "-" {
			fields[name] = i
		}
	}
	return fields
}

func sortedKeys(n *node) []string {
	keys := make([]string, 0, len(n.table))
	for k := range n.table {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func inTable(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}
