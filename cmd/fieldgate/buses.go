package main

import (
	"log/slog"

	"github.com/fieldgate/fieldgate/drivers/bus"
)

// openBuses returns this machine's buses; none are opened yet. Those of I2C are in periph's
// registry until Close, so that whatever in this program opens a bus there (a driver of periph's,
// for example) shares ours. A bus that somebody has registered already stays theirs there.
func openBuses(log *slog.Logger) *bus.Host {
	host := bus.New(log)
	if err := host.RegisterI2C(); err != nil {
		log.Warn("code that opens I2C buses by periph's registry gets other ones than the sensors", "err", err)
	}
	return host
}
