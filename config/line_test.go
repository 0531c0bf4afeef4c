package config_test

import (
	"strings"
	"testing"
)

// TestLimitThatOnlyWarns: bytes_per_day without a sensor whose readings could wait.
func TestLimitThatOnlyWarns(t *testing.T) {
	const sensor = "[[sensor]]\nname = \"a\"\ndriver = \"host\"\nevery = \"1s\"\n"
	for text, want := range map[string]bool{
		sensor:                               false,
		"bytes_per_day = \"5MB\"\n" + sensor: true,
		"bytes_per_day = \"5MB\"\n" + sensor + "priority = \"low\"\n": false,
	} {
		c, err := parse("[mqtt]\nurls = [\"mqtt://localhost\"]\n" + text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings(), "\n"), "mqtt.bytes_per_day only warns"); got != want {
			t.Errorf("%s: %q", text, c.Warnings())
		}
	}
}
