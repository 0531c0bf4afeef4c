package doctor_test

import (
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/doctor"
)

// TestDoctorRepeatsWhatTheRunningGatewayIsKeptFrom: a refused topic is not a fault that doctor
// could find from outside.
func TestDoctorRepeatsWhatTheRunningGatewayIsKeptFrom(t *testing.T) {
	refused := "the broker answers 0x87 to fieldgate/gw/last/+: check its access list"
	p := doctor.Config{Config: &config.Config{Telemetry: config.Telemetry{Format: "json", Compress: "none"}}, Store: t.TempDir() + "/queue.db", Running: &contract.LocalStatus{Config: "current", Health: contract.Health{
		State: "degraded", Reasons: []string{refused, "sensor hall is missing"}, Link: contract.LinkHealth{Connected: true}}}}
	found := 0
	for _, c := range doctor.Examine(t.Context(), p) {
		if c.Subject == "gateway" && c.Level == doctor.Warn && c.Detail == refused {
			found++
		} else if c.Detail == "sensor hall is missing" {
			t.Errorf("a sensor is told twice: %+v", c)
		}
	}
	if found != 1 {
		t.Errorf("the refused topic is told %d times", found)
	}
}
