package all

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/gpio"
	"github.com/fieldgate/fieldgate/drivers/host"
	"github.com/fieldgate/fieldgate/drivers/p1"
	"github.com/fieldgate/fieldgate/drivers/sml"
)

var updatePage = flag.Bool("update", false, "write docs/drivers.md")

const (
	page        = "../../docs/drivers.md"
	pageCommand = "go test ./drivers/all -run TestDriversPage -update"
)

// sections are those that the package comment of each driver has, in this order.
func sections() []string { return []string{"Data sheet", "Wiring", "Range", "Sources of error"} }

// showAll sets the options with which a driver has all of its fields, if that is not so with the
// defaults.
func showAll(options any) {
	switch o := options.(type) {
	case *gpio.InOptions:
		o.Edges = "rising"
	case *host.Options:
		o.Fields = []string{"cpu_temperature", "load_1m", "memory_used", "memory_available", "disk_used", "disk_free", "uptime", "throttled_flags"}
	case *p1.Options:
		o.Fields = p1.AllFields()
	case *sml.Options:
		o.Fields = sml.AllFields()
	}
}

// TestDriversPage checks that every driver's package comment has its sections, and that
// docs/drivers.md is made of the drivers as they are.
func TestDriversPage(t *testing.T) {
	intro, err := os.ReadFile("intro.md")
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBuffer(intro)
	var folders []string
	byFolder := map[string][]drivers.Spec{}
	for _, s := range Specs() {
		f := folder(s)
		if byFolder[f] == nil {
			folders = append(folders, f)
		}
		byFolder[f] = append(byFolder[f], s)
	}
	fmt.Fprint(b, "\n## All drivers\n\n| `driver` | device | bus |\n| --- | --- | --- |\n")
	for _, s := range Specs() {
		fmt.Fprintf(b, "| [`%s`](#%s) | %s | %s |\n", s.Name, folder(s), cell(s.Doc), busName(s.Bus))
	}
	for _, f := range folders {
		writeDriver(t, b, f, byFolder[f])
	}
	if *updatePage {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is stale: %s", page, pageCommand)
	}
}

// writeDriver writes what there is to say of the drivers of a folder.
func writeDriver(t *testing.T, b *bytes.Buffer, folder string, specs []drivers.Spec) {
	about, parts := packageComment(t, folder)
	fmt.Fprintf(b, "\n<a id=%q></a>\n\n## %s\n\n%s\n", folder, names(specs), about)
	var missing []string
	for _, title := range sections() {
		if parts[title] == "" {
			missing = append(missing, "# "+title)
			continue
		}
		fmt.Fprintf(b, "\n**%s.** %s\n", title, parts[title])
	}
	if missing != nil {
		t.Errorf("drivers/%s/doc.go lacks the sections %s", folder, strings.Join(missing, ", "))
	}
	b.WriteString("\n**Configuration.**\n")
	if !strings.Contains(about+strings.Join(slices.Collect(maps.Values(parts)), ""), "[[sensor]]") {
		writeExample(b, specs[0])
	}
	writeOptions(b, specs)
	writeFields(b, specs)
}

func writeExample(b *bytes.Buffer, s drivers.Spec) {
	fmt.Fprintf(b, "\n    [[sensor]]\n    name = \"my-%s\"\n    driver = %q\n", s.Name, s.Name)
	if s.Bus != drivers.NoBus {
		fmt.Fprintf(b, "    bus = %q\n", s.Bus.Example())
	}
	b.WriteString("    every = \"10s\"\n")
}

// packageComment returns the text of a driver's package comment in Markdown: what stands before the
// sections, and these.
func packageComment(t *testing.T, folder string) (about string, parts map[string]string) {
	var text string
	files, err := filepath.Glob("../" + folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil && !strings.HasSuffix(file, "_test.go") {
			text += (&ast.CommentGroup{List: f.Doc.List}).Text()
		}
	}
	begin := "Package " + folder + " is the driver of "
	if !strings.HasPrefix(text, begin) {
		t.Errorf("drivers/%s: the package comment does not begin with %q", folder, begin)
	}
	text = strings.TrimPrefix(text, begin)
	parts = map[string]string{}
	title := ""
	var blocks []comment.Block
	flush := func() {
		md := strings.TrimSpace(string((&comment.Printer{HeadingID: func(*comment.Heading) string { return "" }}).Markdown(&comment.Doc{Content: blocks})))
		// names in the comments are written as Markdown has them
		md = strings.NewReplacer("\\`", "`", `\_`, "_", `\-`, "-").Replace(md)
		if title == "" {
			about = md
		} else {
			parts[title] = md
		}
		blocks = nil
	}
	for _, block := range (&comment.Parser{}).Parse(text).Content {
		h, ok := block.(*comment.Heading)
		if !ok || !slices.Contains(sections(), plain(h)) {
			// other headings belong to what stands around them
			blocks = append(blocks, block)
			continue
		}
		flush()
		title = plain(h)
	}
	flush()
	if first := []rune(about); len(first) > 0 {
		first[0] = unicode.ToUpper(first[0])
		about = string(first)
	}
	return about, parts
}

func plain(h *comment.Heading) string {
	var b strings.Builder
	for _, t := range h.Text {
		if p, ok := t.(comment.Plain); ok {
			b.WriteString(string(p))
		}
	}
	return b.String()
}

// An option is a row of the table of options.
type option struct {
	label    string
	doc      string
	defaults []string // of each driver of the folder; "–" if it has not the option
}

func writeOptions(b *bytes.Buffer, specs []drivers.Spec) {
	var rows []option
	for i, s := range specs {
		collect(&rows, i, len(specs), "", reflect.ValueOf(s.Options()).Elem(), true)
	}
	if len(rows) == 0 {
		b.WriteString("\nIt has no options.\n")
		return
	}
	b.WriteString("\n| option | default | meaning |\n| --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.label, r.defaultsText(specs), cell(r.doc))
	}
}

// defaultsText returns the default, and whose it is if the drivers differ.
func (r option) defaultsText(specs []drivers.Spec) string {
	if len(slices.Compact(slices.Clone(r.defaults))) == 1 {
		return r.defaults[0]
	}
	var all []string
	for i, d := range r.defaults {
		if d != "–" {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s (%s)", d, specs[i].Name)))
		}
	}
	return strings.Join(all, ", ")
}

// collect adds the options of a struct to the rows; spec is the driver of n that they are of.
func collect(rows *[]option, spec, n int, label string, v reflect.Value, hasDefaults bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("toml")
		if key == "" || key == "-" {
			continue
		}
		value := ""
		if hasDefaults {
			value = shown(key, v.Field(i))
		}
		name := label + "`" + key + "`"
		at := slices.IndexFunc(*rows, func(o option) bool { return o.label == name && o.doc == f.Tag.Get("doc") })
		if at < 0 {
			*rows = append(*rows, option{name, f.Tag.Get("doc"), slices.Repeat([]string{"–"}, n)})
			at = len(*rows) - 1
		}
		(*rows)[at].defaults[spec] = value
		switch {
		case f.Type.Kind() == reflect.Struct:
			collect(rows, spec, n, name+" › ", v.Field(i), hasDefaults)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			collect(rows, spec, n, name+" › ", reflect.Zero(f.Type.Elem()), false)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			collect(rows, spec, n, name+" › *field* › ", reflect.Zero(f.Type.Elem()), false)
		}
	}
}

// shown returns a default as the configuration has it; "" for none.
func shown(key string, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return fmt.Sprintf("`%q`", strings.TrimSuffix(strings.TrimSuffix(x.String(), "0s"), "0m")+zero(x))
	case string:
		if x == "" {
			return ""
		}
		return fmt.Sprintf("`%q`", x)
	case int:
		if key == "address" {
			return fmt.Sprintf("`0x%02x`", x)
		}
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Struct:
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// zero puts back what trimming took from no duration at all.
func zero(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	return ""
}

func writeFields(b *bytes.Buffer, specs []drivers.Spec) {
	type row struct {
		drivers.Field
		of []string
	}
	var rows []row
	for _, s := range specs {
		o := s.Options()
		showAll(o)
		for _, f := range s.Fields(o) {
			at := slices.IndexFunc(rows, func(r row) bool { return r.Field == f })
			if at < 0 {
				rows = append(rows, row{Field: f})
				at = len(rows) - 1
			}
			rows[at].of = append(rows[at].of, s.Name)
		}
	}
	if len(rows) == 0 {
		b.WriteString("\nIts fields are those that the options name.\n")
		return
	}
	b.WriteString("\n| field | unit | type | meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		text := r.Describe()
		if r.Writable {
			text += "; can be written"
		}
		if len(r.of) < len(specs) {
			text += " (" + strings.Join(r.of, ", ") + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.Name, cell(r.Unit), r.Kind, cell(text))
	}
}

func busName(b drivers.Bus) string {
	switch b {
	case drivers.NoBus:
		return "none"
	case drivers.I2CBus:
		return "I2C"
	}
	return string(b)
}

func names(specs []drivers.Spec) string {
	words := make([]string, len(specs))
	for i, s := range specs {
		words[i] = s.Name
	}
	return strings.Join(words, ", ")
}

// cell makes a text the cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
