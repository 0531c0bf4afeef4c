package health_test

import (
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestReadingsThatNeedATime: health names what waits for the time, how many, and what helps.
func TestReadingsThatNeedATime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sync  bool
		held  int64
		wants []string
	}{
		{"nothing was looked at", false, 0, []string{": readings wait for the time:", "gateway.time_from"}},
		{"of this power-up", false, 42, []string{": 42 readings wait for the time:", `telemetry.format = "influx" needs it`, "gateway.time_from"}},
		{"of earlier ones", true, 42, []string{"42 readings wait for the time of an earlier power-up", `telemetry.format = "influx" needs it`, `"json"`}},
		{"none", true, 0, nil},
	} {
		f := health.Figures{NeedsTime: "influx", ClockSync: tt.sync, ClockWait: 60e9}
		if tt.sync {
			f.ClockWait = 0
		}
		f.Store.Held = tt.held
		reasons := health.New(func() health.Figures { return f }).Snapshot().Reasons
		if tt.wants == nil && len(reasons) > 0 || tt.wants != nil && len(reasons) != 1 {
			t.Errorf("%s: %q", tt.name, reasons)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(reasons[0], want) {
				t.Errorf("%s: %q lacks %q", tt.name, reasons[0], want)
			}
		}
	}
}
