package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLingerLeavesTimeBeforeTheEndOfTTL: what waits for company does not get too old by that, and
// check says that it waits for less than the configuration has.
func TestLingerLeavesTimeBeforeTheEndOfTTL(t *testing.T) {
	for _, tt := range []struct {
		linger, ttl string
		want        time.Duration
		warns       bool
	}{{"1m", "0s", time.Minute, false}, {"1m", "2m", time.Minute, false}, {"1m", "90s", 45 * time.Second, true}, {"1h", "10s", 5 * time.Second, true}, {"0s", "10s", 0, false}} {
		c, err := parse(minimal + fmt.Sprintf("\n[[sensor]]\nname = \"a\"\ndriver = \"host\"\nevery = \"1s\"\nlinger = %q\nttl = %q\n", tt.linger, tt.ttl))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Linger("a"); got != tt.want {
			t.Errorf("linger %s, ttl %s: waits for %v, want %v", tt.linger, tt.ttl, got, tt.want)
		}
		if text := strings.Join(c.Warnings(), "\n"); strings.Contains(text, "its linger of "+tt.linger) != tt.warns {
			t.Errorf("linger %s, ttl %s: %s", tt.linger, tt.ttl, text)
		}
	}
}
