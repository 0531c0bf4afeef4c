// Package all is the table of drivers: the one place that knows them all. A new driver adds its line to Specs.
package all

import (
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/host"
	"github.com/fieldgate/fieldgate/drivers/line"
	"github.com/fieldgate/fieldgate/drivers/sim"
)

// Specs returns the drivers in the order of their names.
func Specs() []drivers.Spec {
	return []drivers.Spec{
		bme280.Spec,
		bme280.SpecBMP280,
		host.Spec,
		line.Spec,
		sim.Spec,
	}
}
