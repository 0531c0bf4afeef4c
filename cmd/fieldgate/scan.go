package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/ds18b20"
	"github.com/fieldgate/fieldgate/drivers/gpio"
	"github.com/fieldgate/fieldgate/drivers/hwmon"
	"github.com/fieldgate/fieldgate/drivers/iio"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
)

// A found is what scan finds on this machine.
type found struct {
	I2C    []foundBus       `json:"i2c"`
	Serial []bus.SerialPort `json:"serial"`
	W1     []string         `json:"w1"`
	Hwmon  []sysfs.Listed   `json:"hwmon"`
	IIO    []sysfs.Listed   `json:"iio"`
	GPIO   []gpio.Chip      `json:"gpio"`
}

func scanCommand(o *options) *cobra.Command {
	var socket string
	var asJSON, asTOML, identify bool
	c := &cobra.Command{
		Use: "scan", Short: "List the sensors and buses of this machine",
		Long: `Scan lists I2C buses with the addresses that answer, serial ports, and what the kernel shows of 1-Wire, hwmon, IIO and GPIO.

On I2C it reads one byte from each address and writes nothing, because a write means something else to every chip. So it names the chips that can have an
address, not the one that is there; and a chip that acknowledges a reading only when it has something to say (Sensirion's) is not seen. --identify
asks those chips' drivers to find theirs, which write to the device: commands and numbers of registers. Use it when no device on the bus minds.
Addresses that a kernel driver has are never asked, nor serial ports opened, nor the buses of a gateway that runs.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON && asTOML {
				return usageError{errors.New("--json or --toml, not both")}
			}
			f, unknown := scan(cmd.Context(), o, socket, identify)
			if unknown != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "buses that the configuration names are left alone: %v\n", unknown)
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return writeJSON(out, f)
			case asTOML:
				return f.writeTOML(out)
			}
			return f.print(out)
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&identify, "identify", false, "let drivers find their chips on I2C, which writes to the devices")
	c.Flags().BoolVar(&asTOML, "toml", false, "print [[sensor]] tables for the configuration")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// scan looks what there is. The configuration is of help and need not be right.
func scan(ctx context.Context, o *options, socket string, identify bool) (*found, error) {
	c, err := o.load()
	if err != nil {
		c = &config.Config{}
	}
	status, unknown := runningGateway(ctx, o, socket, c)
	running := status != nil || unknown != nil

	host := openBuses(slog.New(slog.DiscardHandler))
	defer host.Close()
	f := &found{I2C: []foundBus{}, Serial: list(host.Inventory()), W1: list(ds18b20.Devices()), Hwmon: list(hwmon.Devices()), IIO: list(iio.Devices()), GPIO: list(gpio.Chips())}
	for _, name := range bus.I2CBuses() {
		f.I2C = append(f.I2C, scanBus(ctx, host, name, configuredOn(c, name), running, identify))
	}
	return f, unknown
}

// list makes an empty list of none, which is what JSON is to show.
func list[T any](all []T) []T { return append([]T{}, all...) }
