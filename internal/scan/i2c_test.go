package scan

import (
	"fmt"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
)

// Which chips can have an address, the drivers' own checks say.
func TestCandidates(t *testing.T) {
	for addr, want := range map[int]string{
		0x76: "[bme280 bme680 bme688 bmp280 dps310]", 0x44: "[ina219 ina226 sht3x sht4x]", 0x38: "[aht20]", 0x62: "[scd4x]", 0x68: "[]",
	} {
		var names []string
		for _, s := range all.Specs() {
			if hasAddress(s, addr) {
				names = append(names, s.Name)
			}
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("0x%02x: want %s, got %s", addr, want, got)
		}
	}
	for _, s := range all.Specs() { // else scan would never name it
		known := false
		for addr := range 0x78 {
			known = known || hasAddress(s, addr)
		}
		if known != (s.Bus == drivers.I2CBus) {
			t.Errorf("%s: bus %q, and some address is its own: %v", s.Name, s.Bus, known)
		}
	}
}

// A bus that the running gateway reads is left alone.
func TestScanLeavesTheGatewaysBusAlone(t *testing.T) {
	b := (&Scanner{Running: true}).bus(t.Context(), "/dev/i2c-1", map[int]string{0x76: "hall"}, true)
	if b.Left == "" || len(b.Devices) != 1 || b.Devices[0].Sensor != "hall" {
		t.Errorf("got %+v", b)
	}
}
