package health_test

import (
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestPace: a sensor that changes ten times a second makes one health document a second, and one
// that changes now and then makes one at once.
func TestPace(t *testing.T) {
	const every = time.Minute
	var p health.Pace
	documents := 0
	up := time.Hour
	for range 110 { // 11 s
		p.Hasten()
		if p.Due(up, every) {
			documents++
		}
		up += 100 * time.Millisecond
	}
	if documents != 11 {
		t.Errorf("told %d times in 11 s", documents)
	}
	begin := up
	for !p.Due(up, every) {
		up += 100 * time.Millisecond
	}
	if after := up - begin; after > time.Second {
		t.Errorf("the last change was told after %v", after)
	}
	up += 10 * time.Second
	if p.Due(up, every) {
		t.Error("told without a change before its time")
	}
	if p.Hasten(); !p.Due(up, every) {
		t.Error("a change after a while is not told at once")
	}
}
