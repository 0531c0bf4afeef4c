package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// TestEveryCommandHasARow: the table of docs/topics.md says of each command whether it may run by
// default, whether it needs an id, and how long it may take.
func TestEveryCommandHasARow(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "topics.md"))
	if err != nil {
		t.Fatal(err)
	}
	word := map[bool]string{true: "yes", false: "no"}
	for _, c := range command.Table() {
		row := fmt.Sprintf("\n| `%s` | %s | %s | %.0f s |", c.Name, word[c.Default], word[!c.Harmless], c.Timeout.Seconds())
		if !bytes.Contains(text, []byte(row)) {
			t.Errorf("topics.md has no row that begins with %s", row[1:])
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

// TestHealthRequiresWhatIsAlwaysThere: the schema of P/health requires the members that are never
// left out, and no others.
func TestHealthRequiresWhatIsAlwaysThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "schema", "health.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s object
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	wantRequired(t, "health", &s, reflect.TypeFor[contract.Health]())
}

// An object is what wantRequired reads of the schema of an object.
type object struct {
	Required   []string           `json:"required"`
	Properties map[string]*object `json:"properties"`
	Additional json.RawMessage    `json:"additionalProperties"` // an object if the names are free
}

func wantRequired(t *testing.T, path string, s *object, of reflect.Type) {
	t.Helper()
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if slices.Contains(s.Required, name) == (options == "omitempty") {
			t.Errorf("%s.%s: the schema requires it: %v", path, name, options == "omitempty")
		}
		member, within := s.Properties[name], f.Type
		if member == nil {
			t.Errorf("%s.%s: the schema does not have it", path, name)
			continue
		}
		if within.Kind() == reflect.Pointer {
			within = within.Elem()
		}
		if within.Kind() == reflect.Map && within.Elem().Kind() == reflect.Struct {
			within = within.Elem()
			text := member.Additional
			member = new(object)
			if err := json.Unmarshal(text, member); err != nil {
				t.Fatalf("%s.%s: %v", path, name, err)
			}
		}
		if within.Kind() == reflect.Struct && within != reflect.TypeFor[contract.Time]() {
			wantRequired(t, path+"."+name, member, within)
		}
	}
}
