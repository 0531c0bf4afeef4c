package main

import "testing"

func TestHung(t *testing.T) {
	const table = "ok    a  short\nwarn  b  " + "one two three four five six seven\n" + "         → do this and that and some more\n"
	for _, v := range []struct {
		width int
		want  string
	}{
		{0, table},
		{80, table},
		{40, "ok    a  short\nwarn  b  one two three four five six\n         seven\n         → do this and that and some\n         more\n"},
		{20, "ok    a  short\nwarn  b  one two\nthree four five six\nseven\n         → do this\n         and that\n         and some\n         more\n"},
	} {
		if got := hung(table, 9, v.width); got != v.want {
			t.Errorf("%d columns:\n%s\nwant\n%s", v.width, got, v.want)
		}
	}
}
