package drivers_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A program opens a driver by its package, without the table and without a configuration. The bus
// is periph's i2c.Bus: here a model of the chip, on a board what i2creg.Open or drivers/bus
// returns.
func Example() {
	bus, err := drivertest.OnI2C(0x76, bme280test.NewBME280()).I2C("/dev/i2c-1")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	o := bme280.Options{Address: 0x76, Oversampling: 1, TemperatureOffset: -1.5}
	if err := o.Check(); err != nil {
		log.Fatal(err)
	}
	dev, err := bme280.Open(ctx, bus, o)
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	values, err := dev.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range values {
		fmt.Println(v.Field, v.Any())
	}
	// Output:
	// temperature 23.58
	// pressure 100653.25
	// humidity 53.69
}
