package main

import (
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/ads1115"
	"github.com/fieldgate/fieldgate/drivers/ads1115/ads1115test"
	"github.com/fieldgate/fieldgate/drivers/aht20"
	"github.com/fieldgate/fieldgate/drivers/aht20/aht20test"
	"github.com/fieldgate/fieldgate/drivers/bh1750"
	"github.com/fieldgate/fieldgate/drivers/bh1750/bh1750test"
	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/bme680"
	"github.com/fieldgate/fieldgate/drivers/bme680/bme680test"
	"github.com/fieldgate/fieldgate/drivers/dps310"
	"github.com/fieldgate/fieldgate/drivers/dps310/dps310test"
	"github.com/fieldgate/fieldgate/drivers/ina219"
	"github.com/fieldgate/fieldgate/drivers/ina219/ina219test"
	"github.com/fieldgate/fieldgate/drivers/lm75"
	"github.com/fieldgate/fieldgate/drivers/lm75/lm75test"
	"github.com/fieldgate/fieldgate/drivers/mcp9808"
	"github.com/fieldgate/fieldgate/drivers/mcp9808/mcp9808test"
	"github.com/fieldgate/fieldgate/drivers/scd4x"
	"github.com/fieldgate/fieldgate/drivers/scd4x/scd4xtest"
	"github.com/fieldgate/fieldgate/drivers/sht3x"
	"github.com/fieldgate/fieldgate/drivers/sht3x/sht3xtest"
	"github.com/fieldgate/fieldgate/drivers/sht4x"
	"github.com/fieldgate/fieldgate/drivers/sht4x/sht4xtest"
	"github.com/fieldgate/fieldgate/drivers/veml7700"
	"github.com/fieldgate/fieldgate/drivers/veml7700/veml7700test"
)

// A device is a chip at its default address, and what its driver is to read from it, in the order
// of the fields.
type device struct {
	spec    drivers.Spec
	address uint16
	chip    chip
	want    []float64
}

// devices returns one of every driver for I2C. What they measure is none of the values that their
// models and registers start with, if the model lets that be set.
func devices() []device {
	inputs := func(bits int) chip {
		c := ads1115test.New(bits)
		c.Volts = [4]float64{0.25, 1, 2.5, 3.75}
		return c
	}
	thermometer := func(name string) chip {
		c := lm75test.New(name)
		c.Temperature = -10.5
		return c
	}
	light, dusk := bh1750test.New(), veml7700test.New()
	light.Illuminance, dusk.Linear = 1234.2, 812
	damp, dry, hot, cold := aht20test.New(), sht3xtest.New(), sht4xtest.New(), mcp9808test.New()
	damp.Temperature, damp.Humidity = 31.67, 83.19
	dry.Temperature, dry.Humidity = 18.25, 12.5
	hot.Temperature, hot.Humidity = 60.5, 33.25
	cold.Temperature = -20.0625
	line, supply := ina219test.NewINA219(), ina219test.NewINA226()
	line.Volts, line.Amperes = 23.5, -1.25
	supply.Volts, supply.Amperes = 5, 0.125
	air := scd4xtest.New()
	air.CO2, air.Temperature, air.Humidity = 1234, 22.5, 61
	return []device{
		{ads1115.Spec, 0x48, inputs(16), []float64{0.25, 1, 2.5, 3.75}},
		{ads1115.SpecADS1015, 0x48, inputs(12), []float64{0.25, 1, 2.5, 3.75}},
		{aht20.Spec, 0x38, damp, []float64{31.67, 83.19}},
		{bh1750.Spec, 0x23, light, []float64{1234.2}},
		{bme280.Spec, 0x76, bme280test.NewBME280(), []float64{25.08, 100653, 49.08}},
		{bme280.SpecBMP280, 0x76, bme280test.NewBMP280(), []float64{25.08, 100653}},
		{bme680.Spec, 0x76, bme680test.NewBME680(), []float64{23.63, 97819, 46.21, 18549}},
		{bme680.SpecBME688, 0x76, bme680test.NewBME688(), []float64{23.63, 97819, 46.21, 147977}},
		{dps310.Spec, 0x77, dps310test.New(), []float64{24.74, 92946.31}},
		{ina219.Spec, 0x40, line, []float64{23.5, -1.25, -29.375}},
		{ina219.SpecINA226, 0x40, supply, []float64{5, 0.125, 0.625}},
		{lm75.Spec, 0x48, thermometer("lm75"), []float64{-10.5}},
		{lm75.SpecLM75B, 0x48, thermometer("lm75b"), []float64{-10.5}},
		{lm75.SpecTMP102, 0x48, thermometer("tmp102"), []float64{-10.5}},
		{lm75.SpecTMP105, 0x48, thermometer("tmp105"), []float64{-10.5}},
		{lm75.SpecTMP1075, 0x48, thermometer("tmp1075"), []float64{-10.5}},
		{mcp9808.Spec, 0x18, cold, []float64{-20.0625}},
		{scd4x.Spec, 0x62, air, []float64{1234, 22.5, 61}},
		{sht3x.Spec, 0x44, dry, []float64{18.25, 12.5}},
		{sht4x.Spec, 0x44, hot, []float64{60.5, 33.25}},
		{veml7700.Spec, 0x10, dusk, []float64{812}},
	}
}
