package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/sizing"
)

// What size prints is read by people: no powers of ten, no thousands of MiB.
func TestPrintSize(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report sizing.Report
		want   []string
	}{
		{"much", sizing.Report{
			Outage: 6 * time.Hour, Sensors: 3, Rate: 1010, Readings: 21_816_000, PerCommit: 765, BytesPerReading: 12.8, Fixed: 5 << 20, Needs: 157284 << 20, MaxBytes: 8 << 20,
			Written: 4 << 30, WrittenPerDay: 16 << 30, FullAfter: 29*time.Minute + 400*time.Millisecond,
		}, []string{
			"readings  1,010/s of 3 sensors, 21,816,000 in 6h\n", "13 bytes a reading, with 765 readings a commit\n", "153.6 GiB of the card",
			`the store is full after 29m. Raise buffer.max_bytes to "154GiB"`,
		}},
		{"little", sizing.Report{
			Outage: 90 * time.Minute, Sensors: 1, Rate: 1. / 60, Readings: 90, PerCommit: 1, BytesPerReading: 1, Fits: true, FullAfter: 100 * 365 * 24 * time.Hour,
		}, []string{"readings  1/min of 1 sensor, 90 in 1h30m\n", "1 byte a reading, with 1 reading a commit\n", "it fits; the store is full after more than 10 years\n"}},
		{"rarely", sizing.Report{Outage: 72 * time.Hour, Sensors: 2, Rate: 0.5 / 86400, FullAfter: 50 * time.Hour, Needs: 300 << 20},
			[]string{"readings  0.5/day of 2 sensors, 0 in 3 days\n", `full after 2.1 days. Raise buffer.max_bytes to "301MiB"`}},
		{"some", sizing.Report{Outage: 24 * time.Hour, Rate: 12.34, FullAfter: 10*time.Hour + 3*time.Minute + 9*time.Second}, []string{"readings  12.3/s of 0 sensors, 0 in 24h\n", "full after 10h3m."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := printSize(&out, tt.report); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, out.String())
				}
			}
		})
	}
}
