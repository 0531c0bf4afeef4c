package health_test

import (
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestReadingsThatNeedATime: health says how many readings wait for the time, and what helps.
func TestReadingsThatNeedATime(t *testing.T) {
	f := health.Figures{NeedsTime: "influx"}
	f.Store.Live, f.Store.Backlog = 2, 40
	m := health.New(func() health.Figures { return f })
	reasons := m.Snapshot().Reasons
	if len(reasons) != 1 || !strings.Contains(reasons[0], "42 readings wait for the time") || !strings.Contains(reasons[0], `"influx" needs`) || !strings.Contains(reasons[0], "gateway.time_from") {
		t.Errorf("the time is not known: %q", reasons)
	}
	f.ClockSync = true
	if reasons := m.Snapshot().Reasons; len(reasons) > 0 {
		t.Errorf("the time is known: %q", reasons)
	}
}
