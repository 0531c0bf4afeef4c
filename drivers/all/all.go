// Package all is the table of drivers: the one place that knows them all. A new driver adds its
// line to Specs; `make docs` writes its page into docs/drivers.md.
package all

import (
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/ads1115"
	"github.com/fieldgate/fieldgate/drivers/aht20"
	"github.com/fieldgate/fieldgate/drivers/bh1750"
	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/bme680"
	"github.com/fieldgate/fieldgate/drivers/dps310"
	"github.com/fieldgate/fieldgate/drivers/ds18b20"
	"github.com/fieldgate/fieldgate/drivers/gpio"
	"github.com/fieldgate/fieldgate/drivers/host"
	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/ina219"
	"github.com/fieldgate/fieldgate/drivers/line"
	"github.com/fieldgate/fieldgate/drivers/lm75"
	"github.com/fieldgate/fieldgate/drivers/mcp9808"
	"github.com/fieldgate/fieldgate/drivers/mhz19"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/nmea"
	"github.com/fieldgate/fieldgate/drivers/p1"
	"github.com/fieldgate/fieldgate/drivers/pms5003"
	"github.com/fieldgate/fieldgate/drivers/scd4x"
	"github.com/fieldgate/fieldgate/drivers/sds011"
	"github.com/fieldgate/fieldgate/drivers/sht3x"
	"github.com/fieldgate/fieldgate/drivers/sht4x"
	"github.com/fieldgate/fieldgate/drivers/sim"
	"github.com/fieldgate/fieldgate/drivers/sml"
	"github.com/fieldgate/fieldgate/drivers/veml7700"
)

// Specs returns the drivers in the order of their names.
func Specs() []drivers.Spec {
	return []drivers.Spec{
		ads1115.SpecADS1015,
		ads1115.Spec,
		aht20.Spec,
		bh1750.Spec,
		bme280.Spec,
		bme680.Spec,
		bme680.SpecBME688,
		bme280.SpecBMP280,
		dps310.Spec,
		ds18b20.Spec,
		gpio.SpecIn,
		gpio.SpecOut,
		host.Spec,
		hwmon.Spec,
		iio.Spec,
		ina219.Spec,
		ina219.SpecINA226,
		line.Spec,
		lm75.Spec,
		lm75.SpecLM75B,
		mcp9808.Spec,
		mhz19.Spec,
		modbus.SpecRTU,
		modbus.SpecTCP,
		nmea.Spec,
		p1.Spec,
		pms5003.Spec,
		pms5003.SpecPMS7003,
		scd4x.Spec,
		sds011.Spec,
		sht3x.Spec,
		sht4x.Spec,
		sim.Spec,
		sml.Spec,
		lm75.SpecTMP102,
		lm75.SpecTMP105,
		lm75.SpecTMP1075,
		veml7700.Spec,
	}
}
