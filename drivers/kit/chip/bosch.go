package chip

import "fmt"

// RegBoschID is the register of the id in all of Bosch's sensors of air, which have the same
// addresses. Reading it harms no other chip.
const RegBoschID = 0xD0

// Ids of Bosch's sensors.
const (
	BME280       = 0x60
	BMP280       = 0x58
	BMP280Sample = 0x56 // and 0x57
	BME680       = 0x61 // and BME688
	BMP180       = 0x55
)

// NotBosch is the BoschName of an id that is none of these.
const NotBosch = "an unknown chip"

// BoschName says which chip has an id and which driver reads it, for the message that it is the
// wrong one.
func BoschName(id byte) string {
	name, driver := "", ""
	switch id {
	case BME280:
		name, driver = "a BME280", "bme280"
	case BMP280, BMP280Sample, BMP280Sample + 1:
		name, driver = "a BMP280, which measures no humidity", "bmp280"
	case BME680:
		name, driver = "a BME680 or BME688", "bme680"
	case BMP180:
		return "a BMP180, for which there is no driver"
	default:
		return NotBosch
	}
	return fmt.Sprintf("%s: use driver = %q", name, driver)
}
