package main

import (
	"os"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/clock"
)

// TestBegan: a reload replaces the program, and is no new start: the wait for the clock goes on.
func TestBegan(t *testing.T) {
	up := clock.Up()
	for given, before := range map[string]time.Duration{"": 0, "nonsense": 0, "-1s": 0, "9000000h": 0, "1ms": time.Millisecond} {
		t.Setenv(envBegan, given)
		got := began()
		if before != 0 && got != before || before == 0 && (got < up || got > clock.Up()) {
			t.Errorf("%q: %v", given, got)
		}
		if _, ok := os.LookupEnv(envBegan); ok {
			t.Errorf("%q: programs that are started inherit it", given)
		}
	}
}
