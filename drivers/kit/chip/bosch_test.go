package chip

import "testing"

func TestBoschName(t *testing.T) {
	for id, want := range map[byte]string{
		0x60: `a BME280: use driver = "bme280"`,
		0x57: `a BMP280, which measures no humidity: use driver = "bmp280"`,
		0x61: `a BME680 or BME688: use driver = "bme680"`,
		0x55: "a BMP180, for which there is no driver",
		0xFF: NotBosch,
	} {
		if got := BoschName(id); got != want {
			t.Errorf("0x%02x: want %s, got %s", id, want, got)
		}
	}
}
