package config_test

import (
	"strings"
	"testing"
)

// TestHomeAssistantNamesDoNotCollide: names that differ in a dot are one device there, and neither
// may overwrite the other.
func TestHomeAssistantNamesDoNotCollide(t *testing.T) {
	const two = "[[sensor]]\nname = \"hall.1\"\ndriver = \"host\"\nevery = \"1s\"\n[[sensor]]\nname = \"hall_1\"\ndriver = \"host\"\nevery = \"1s\"\n"
	for _, tt := range []struct{ text, want string }{
		{"[homeassistant]\ndiscovery = true\n" + two, `sensors "hall_1" and "hall.1" (f.toml:`},
		{"[homeassistant]\ndiscovery = false\n" + two, ""},
		{"[homeassistant]\ndiscovery = true\nprefix = \"ha/here\"\n", ""},
		{"[homeassistant]\nprefix = \"ha/+\"\n", "homeassistant.prefix: each level between slashes must not contain '+'"},
		{"[homeassistant]\nprefix = \"\"\n", "homeassistant.prefix: each level between slashes must have 1 to 64"},
	} {
		_, err := parse(minimal + "\n" + tt.text)
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %s, want %q", tt.text, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s: no mistake, want %q", tt.text, tt.want)
		}
	}
}
