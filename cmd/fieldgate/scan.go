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
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/scan"
)

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
			f, unknown := scanMachine(cmd.Context(), o, socket, identify)
			if unknown != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "buses that the configuration names are left alone: %v\n", unknown)
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return writeJSON(out, f)
			case asTOML:
				return f.WriteTOML(out)
			}
			return printScan(out, f)
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

// scanMachine looks what there is. The configuration is of help and need not be right.
func scanMachine(ctx context.Context, o *options, socket string, identify bool) (*scan.Found, error) {
	c, err := o.load()
	if err != nil {
		c = &config.Config{}
	}
	status, unknown := runningGateway(ctx, o, socket, c)
	host := openBuses(slog.New(slog.DiscardHandler))
	defer host.Close()
	s := scan.Scanner{Host: host, Specs: all.Specs(), Sensors: c.Sensors, Running: status != nil || unknown != nil}
	return s.Scan(ctx, identify), unknown
}
