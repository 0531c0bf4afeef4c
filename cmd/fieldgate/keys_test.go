package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// TestEveryKeyIsDocumented: docs/configuration.md has a row for each key in the section of its
// table, and the example a line below the heading of its table, and they have no others.
func TestEveryKeyIsDocumented(t *testing.T) {
	want := keysByTable(reflect.TypeFor[config.Config](), "")
	heading := regexp.MustCompile(`^(?:#+ )?\[+([\w.\\<>-]+)\]+$`)
	for file, line := range map[string]*regexp.Regexp{
		"configuration.md":       regexp.MustCompile("^\\| (`[^|]*`) \\| (?:text|duration|size|number|bool|list)"),
		"fieldgate.example.toml": regexp.MustCompile(`^(?:# )?(\w+) = `),
	} {
		text, err := os.ReadFile(filepath.Join(docs, file))
		if err != nil {
			t.Fatal(err)
		}
		table := ""
		var got []string
		for l := range strings.Lines(string(text)) {
			l = strings.TrimRight(l, "\n")
			if m := heading.FindStringSubmatch(l); m != nil {
				table = m[1]
				if strings.HasPrefix(table, "sensor.field.") {
					table = "sensor.field"
				}
			} else if m := line.FindStringSubmatch(l); m != nil && !strings.HasPrefix(table, "sensor.options") {
				for key := range strings.SplitSeq(m[1], ", ") {
					got = append(got, table+"."+strings.Trim(key, "`"))
				}
			}
		}
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("%s does not have %s in its table", file, key)
			}
		}
		for _, key := range got {
			if !slices.Contains(want, key) {
				t.Errorf("%s has %s, which is not a key", file, key)
			}
		}
	}
}

// keysByTable returns the keys of the configuration: "gateway.id", "sensor.field.scale".
func keysByTable(s reflect.Type, table string) (keys []string) {
	for i := range s.NumField() {
		key, of := s.Field(i).Tag.Get("toml"), s.Field(i).Type
		for of.Kind() == reflect.Slice || of.Kind() == reflect.Map || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch {
		case key == "" || key == "-" || of.Kind() == reflect.Interface:
			// a sensor's options are the driver's
		case of.Kind() == reflect.Struct:
			keys = append(keys, keysByTable(of, table+key+".")...)
		default:
			keys = append(keys, table+key)
		}
	}
	return keys
}
