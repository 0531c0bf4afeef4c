package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/doctor"
	"github.com/fieldgate/fieldgate/internal/timefrom"
	"github.com/fieldgate/fieldgate/internal/transport"
)

// errChecksFailed is the verdict of doctor, whose reasons were printed.
var errChecksFailed = errors.New("some checks failed")

func doctorCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Find out what does not work and what to do about it",
		Long: `Doctor checks the clock, the place of the store, the broker, and each configured sensor. It exits with 1 if something does not work.

It changes nothing. While the gateway runs, doctor asks it for the state of the sensors and of the connection. Otherwise it opens each sensor and measures once, except
sensors that can be written to, and connects to the broker. To measure the line it publishes five small messages to P/reply/doctor, which are not retained. Run it as the service runs, so that it has the same rights: 

  sudo systemd-run --pipe --wait -q -p User=fieldgate -p LoadCredential=mqtt-password:/etc/fieldgate/mqtt-password fieldgate doctor`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.load()
			if err != nil {
				return usageError{err}
			}
			buses := openBuses(slog.New(slog.DiscardHandler))
			defer buses.Close()
			checks := doctor.Examine(cmd.Context(), doctorConfig(cmd.Context(), o, socket, c, buses))
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), checks)
			} else {
				err = printChecks(cmd.OutOrStdout(), checks)
			}
			if err == nil && doctor.Failed(checks) {
				err = errChecksFailed
			}
			return err
		},
	}
	socketFlag(c, &socket)
	stateFlag(c, o)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// doctorConfig is this machine.
func doctorConfig(ctx context.Context, o *options, socket string, c *config.Config, buses drivers.Buses) doctor.Config {
	to := transport.New(transport.Config{MQTT: c.MQTT, Protocols: c.Protocols})
	p := doctor.Config{Config: c, Board: board.Here(), Store: storeInUse(o, c), Buses: buses, ClockBasis: clock.System(c.Gateway.TrustClock).Basis, Now: time.Now(), Dial: to.Dial, Proxy: to.Proxy,
		AskTime: func(ctx context.Context, url string) (time.Time, time.Duration, error) {
			offset, err := timefrom.Ask(ctx, timefrom.Config{From: url, Proxy: to.HTTPProxy, Up: clock.Up, Floor: buildTime()})
			return time.Unix(0, int64(offset.Boot+clock.Up())), offset.Uncertainty, err
		}}
	p.ClockWithin, p.Synchronised = clock.Synchronised()
	if p.Now.Before(buildTime()) {
		p.Now = buildTime() // as the gateway, on a board whose clock is not set
	}
	p.Running, p.Unknown = runningGateway(ctx, o, socket, c)
	if c.ToEnrol() {
		p.Config = c.WithoutBroker(waitsForIdentity)
	}
	return p
}

func printChecks(out io.Writer, checks []doctor.Check) error {
	const level = 6
	column := 0
	for _, c := range checks {
		column = max(column, level+utf8.RuneCountInString(c.Subject)+2)
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Level, c.Subject, oneLine(c.Detail))
		if c.Remedy != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", oneLine(c.Remedy))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, hung(table.String(), column, columns(out)))
	return err
}
