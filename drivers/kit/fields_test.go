package kit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
)

func TestFields(t *testing.T) {
	all := []drivers.Field{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	f := kit.Fields[drivers.Field]{All: all, Usual: []string{"a", "b"}, Of: func(f drivers.Field) drivers.Field { return f }}
	for _, tt := range []struct {
		option      []string
		names, says string
	}{
		{nil, "[a b]", ""},
		{[]string{"c", "a"}, "[c a]", ""},
		{[]string{}, "[]", "fields: it is empty; leave it out, or name some of a, b, c"},
		{[]string{"b", "x"}, "[b]", `fields: "x" is none of a, b, c`},
		{[]string{"b", "b"}, "[b b]", `fields: "b" is there twice`},
	} {
		var names []string
		for _, d := range f.Describe(tt.option) {
			names = append(names, d.Name)
		}
		err := f.Check(tt.option)
		if fmt.Sprint(names) != tt.names || (err == nil) != (tt.says == "") || err != nil && !strings.HasSuffix(err.Error(), tt.says) {
			t.Errorf("%q: %v, %v", tt.option, names, err)
		}
	}
}
