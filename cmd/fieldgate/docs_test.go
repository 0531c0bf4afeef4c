package main

import (
	"bytes"
	"flag"
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
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestExampleConfigurationIsGood: the example is accepted as it stands, and shows every key that
// there is.
func TestExampleConfigurationIsGood(t *testing.T) {
	file := filepath.Join(docs, "fieldgate.example.toml")
	c, err := config.Load(file, catalogue())
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

// TestDriversPageCanBeCopied: each block of the page of the drivers is a configuration that is
// accepted as it stands.
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
		if _, err := config.Load(file, catalogue()); err != nil {
			t.Errorf("%s\n%v", b, err)
		}
	}
	if blocks < len(all.Specs())/2 {
		t.Errorf("only %d blocks", blocks)
	}
}

// TestDocumentationNamesEverything: each key of the configuration, driver, option, field, command
// and topic has its place in docs.
func TestDocumentationNamesEverything(t *testing.T) {
	want := map[string][]string{"configuration.md": keysOf(reflect.TypeFor[config.Config]()), "topics.md": command.Words().Names()}
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
		topics.Reported(), topics.Desired(), topics.Health(), topics.Event("<type>"), topics.Reply("<command>"), strings.Replace(topics.Commands(), "+", "<command>", 1)} {
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

// TestEveryHealthFigureIsDocumented: the table of docs/topics.md has each member of P/health, and
// none that is gone.
func TestEveryHealthFigureIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "topics.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Health\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(section, -1) {
		table := "" // of the first name in the row; the others are in the same
		for i, name := range strings.Split(row[1], ", ") {
			name = strings.Trim(name, "`")
			if i == 0 {
				table = name[:strings.LastIndexByte(name, '.')+1]
			} else {
				name = table + name
			}
			documented = append(documented, name)
		}
	}
	want := membersOf(reflect.TypeFor[contract.Health](), "")
	for _, name := range want {
		if !slices.Contains(documented, name) {
			t.Errorf("topics.md does not have %s in the table of P/health", name)
		}
	}
	for _, name := range documented {
		if !slices.ContainsFunc(want, func(w string) bool { return w == name || strings.HasPrefix(w, name+".") }) {
			t.Errorf("topics.md has %s, and P/health has not", name)
		}
	}
}

// membersOf returns the paths of a document's values: "queue.live", "sensors.<name>.state".
func membersOf(s reflect.Type, table string) (paths []string) {
	for i := range s.NumField() {
		f := s.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path, of := table+name, f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Map && of.Elem().Kind() == reflect.Struct {
			path, of = path+".<name>", of.Elem()
		}
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[contract.Time]() {
			paths = append(paths, membersOf(of, path+".")...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// TestDocumentationDoesNotCountDrivers: docs/drivers.md lists the drivers; a number elsewhere would
// be kept by hand.
func TestDocumentationDoesNotCountDrivers(t *testing.T) {
	for _, file := range []string{filepath.Join(docs, "configuration.md"), filepath.Join(docs, "..", "README.md")} {
		text, err := os.ReadFile(file)
		if number := regexp.MustCompile(`\d+ \[?drivers`).Find(text); err != nil || number != nil {
			t.Errorf("%s: drop the number in %q, %v", file, number, err)
		}
	}
}

// TestArchitectureNamesEveryPackage: the map has each folder below internal, and none that is gone.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tree, _ := strings.Cut(string(text), "    internal/\n")
	tree, _, _ = strings.Cut(tree, "\n    config")
	named := map[string]bool{"gateway": true}
	for line := range strings.Lines(tree) {
		if len(line) > 28 {
			for name := range strings.SplitSeq(line[6:28], ",") {
				named[strings.TrimSpace(name)] = true
			}
		}
	}
	delete(named, "")
	folders, err := os.ReadDir(filepath.Join(docs, "..", "internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !named[f.Name()] {
			t.Errorf("architecture.md does not have internal/%s", f.Name())
		}
		delete(named, f.Name())
	}
	if len(named) > 0 {
		t.Errorf("architecture.md has what is not below internal: %v", named)
	}
}

var updateWords = flag.Bool("update", false, "write the words into docs/configuration.md")

const (
	wordsBegin = "<!-- generated by make docs -->\n"
	wordsEnd   = "<!-- end -->\n"
)

// TestWordsAreDocumented: each word that a key may have says what it means, and
// docs/configuration.md says the same.
func TestWordsAreDocumented(t *testing.T) {
	c := catalogue()
	var table strings.Builder
	table.WriteString("| key | word | meaning |\n| --- | --- | --- |\n")
	for _, k := range []struct {
		key   string
		words config.Words
	}{
		{"buffer.when_full", config.WhenFull}, {"commands.allow", c.Commands}, {"gateway.log_level", config.LogLevels}, {"sensor.priority", config.Priorities},
		{"shadow.allow", config.ShadowKeys}, {"telemetry.format", c.Formats}, {"telemetry.unrouted", config.Unrouted},
	} {
		if len(k.words) < 2 {
			t.Errorf("%s has %d words", k.key, len(k.words))
		}
		for _, w := range k.words {
			if w.Doc == "" {
				t.Errorf("%s: %q has no meaning", k.key, w.Name)
			}
			fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", k.key, w.Name, w.Doc)
		}
	}
	file := filepath.Join(docs, "configuration.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), wordsBegin)
	was, after, ok2 := strings.Cut(rest, wordsEnd)
	switch {
	case !ok || !ok2:
		t.Errorf("%s has no %s", file, wordsBegin)
	case *updateWords:
		if err := os.WriteFile(file, []byte(before+wordsBegin+table.String()+wordsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case was != table.String():
		t.Errorf("the words in %s are out of date: make docs", file)
	}
}

// TestEveryTableOfWordsIsInUse: each table of config/words.go is that of a key which takes one of
// its words, and in the test above.
func TestEveryTableOfWordsIsInUse(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	check, here := read("../../config/check.go"), read("docs_test.go")
	tables := regexp.MustCompile(`(?m)^\t(\w+) = Words{$`).FindAllStringSubmatch(read("../../config/words.go"), -1)
	if len(tables) == 0 {
		t.Fatal("config/words.go has no tables")
	}
	for _, table := range tables {
		if !regexp.MustCompile(`b\.oneOf\(.*, ` + table[1] + `\)`).MatchString(check) {
			t.Errorf("config/check.go does not check a key with %s", table[1])
		}
		if !strings.Contains(here, "config."+table[1]+"}") {
			t.Errorf("TestWordsAreDocumented does not have config.%s", table[1])
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
