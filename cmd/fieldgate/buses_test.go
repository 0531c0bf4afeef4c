package main

import (
	"log/slog"
	"slices"
	"testing"

	"periph.io/x/conn/v3/i2c/i2creg"

	"github.com/fieldgate/fieldgate/drivers/bus"
)

// However often the program opens its buses, all that there are (none, on most machines of
// developers) are in periph's registry, and gone from it with Close.
func TestBusesAreInPeriphsRegistry(t *testing.T) {
	for range 2 {
		buses := openBuses(slog.New(slog.DiscardHandler))
		var names []string
		for _, r := range i2creg.All() {
			names = append(names, r.Name)
		}
		for _, name := range bus.I2CBuses() {
			if !slices.Contains(names, name) {
				t.Errorf("%s is not there", name)
			}
		}
		if err := buses.Close(); err != nil {
			t.Error(err)
		}
		if n := len(i2creg.All()); n > 0 {
			t.Errorf("%d left behind", n)
		}
	}
}
