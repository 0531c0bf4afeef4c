package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestExampleConfigurationIsGood: the example is accepted as it stands, and shows every key that there is.
func TestExampleConfigurationIsGood(t *testing.T) {
	file := filepath.Join(docs, "fieldgate.example.toml")
	c, err := config.Load(file, all.Specs())
	if err != nil {
		t.Fatal(err)
	}
	if c.Gateway.ID != "plant7-gw1" || len(c.Sensors) == 0 {
		t.Errorf("gateway %q, %d sensors", c.Gateway.ID, len(c.Sensors))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.TypeFor[config.Config]()) {
		if !bytes.Contains(text, []byte(key+" = ")) {
			t.Errorf("the example does not show %s", key)
		}
	}
}

// TestDriversPageCanBeCopied: each block of the page of the drivers is a configuration that is accepted as it stands.
func TestDriversPageCanBeCopied(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "drivers.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, b := range regexp.MustCompile(`(?m)(?:^    .*\n|^\n)+`).FindAllString(string(text), -1) {
		if !strings.Contains(b, "[[sensor]]") {
			continue
		}
		blocks++
		file := filepath.Join(t.TempDir(), "fieldgate.toml")
		if err := os.WriteFile(file, []byte("[mqtt]\nurls = [\"mqtt://127.0.0.1:1883\"]\n"+b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(file, all.Specs()); err != nil {
			t.Errorf("%s\n%v", b, err)
		}
	}
	if blocks < len(all.Specs())/2 {
		t.Errorf("only %d blocks", blocks)
	}
}

// TestDocumentationNamesEverything: each key of the configuration, driver, option, field, operation and topic has its place in docs.
func TestDocumentationNamesEverything(t *testing.T) {
	want := map[string][]string{"configuration.md": keysOf(reflect.TypeFor[config.Config]()), "topics.md": slices.Clone(config.CommandNames)}
	for _, s := range all.Specs() {
		o := reflect.TypeOf(s.Options()).Elem()
		want["drivers.md"] = append(append(want["drivers.md"], s.Name), keysOf(o)...)
		if s.Name == "line" {
			continue // its fields are the configuration's
		}
		for _, f := range s.Fields(s.Options()) {
			want["drivers.md"] = append(want["drivers.md"], f.Name)
		}
	}
	topics := contract.NewTopics("x", "P")
	for _, topic := range []string{topics.Status(), topics.Telemetry("<sensor>"), topics.Late("<sensor>"), topics.Last("<sensor>"), topics.Sensor("<sensor>"),
		topics.Reported(), topics.Desired(), topics.Health(), topics.Event("<type>"), topics.Reply("<operation>"), strings.Replace(topics.Commands(), "+", "<operation>", 1)} {
		want["topics.md"] = append(want["topics.md"], strings.TrimPrefix(topic, "x/"))
	}
	for file, names := range want {
		text, err := os.ReadFile(filepath.Join(docs, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !bytes.Contains(text, fmt.Appendf(nil, "`%s`", name)) {
				t.Errorf("%s does not name `%s`", file, name)
			}
		}
	}
}

// TestDocumentationDoesNotCountDrivers: docs/drivers.md lists the drivers; a number elsewhere would be kept by hand.
func TestDocumentationDoesNotCountDrivers(t *testing.T) {
	for _, file := range []string{filepath.Join(docs, "configuration.md"), filepath.Join(docs, "..", "README.md")} {
		text, err := os.ReadFile(file)
		if number := regexp.MustCompile(`\d+ \[?drivers`).Find(text); err != nil || number != nil {
			t.Errorf("%s: drop the number in %q, %v", file, number, err)
		}
	}
}

// keysOf returns the `toml` keys of a struct's values, also of the structs within.
func keysOf(s reflect.Type) (keys []string) {
	for i := range s.NumField() {
		f := s.Field(i)
		key, of := f.Tag.Get("toml"), f.Type
		if key == "" || key == "-" {
			continue
		}
		for of.Kind() == reflect.Slice || of.Kind() == reflect.Map || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct {
			keys = append(keys, keysOf(of)...)
		} else if of.Kind() != reflect.Interface { // a sensor's options are the driver's
			keys = append(keys, key)
		}
	}
	return keys
}
