package health_test

import (
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestPace: a sensor that changes ten times a second makes one health document a second, and one that changes now and then makes one at once.
func TestPace(t *testing.T) {
	const every = time.Minute
	var p health.Pace
	told := 0
	up := time.Hour
	for range 110 { // 11 s
		p.Soon()
		if p.Due(up, every) {
			told++
		}
		up += 100 * time.Millisecond
	}
	if told != 11 {
		t.Errorf("told %d times in 11 s", told)
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
	if p.Soon(); !p.Due(up, every) {
		t.Error("a change after a while is not told at once")
	}
}
