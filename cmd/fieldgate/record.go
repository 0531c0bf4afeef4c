package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/record"
)

func recordCommand(o *options) *cobra.Command {
	var socket, file string
	var length time.Duration
	c := &cobra.Command{
		Use: "record <sensor>", Short: "Record the traffic on a sensor's bus, for a report or a test",
		Long: `Record measures with a configured sensor for a while and writes every byte that goes over its bus, with the times, the errors and the readings,
as JSON. Send the file with your report: a test can replay it to the driver (drivertest.Replay). It contains the measurements of the
sensor, and of the configuration nothing but the sensor's options. The gateway must not run meanwhile.`,
		Args:              oneSensor(o),
		ValidArgsFunction: completeSensor(o),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, s, err := sensorNamed(o, args[0])
			if err != nil {
				return err
			}
			if s.Spec.Bus == drivers.NoBus {
				return usageError{fmt.Errorf("driver %q does not use a bus: there is nothing to record", s.Driver)}
			}
			if status, err := runningGateway(cmd.Context(), o, socket, c); err != nil {
				return err
			} else if status != nil {
				return fmt.Errorf("the gateway is running (process %d) and reads the sensors: stop it first (sudo systemctl stop fieldgate)", status.PID)
			}
			var r *record.Recording
			err = writeFile(file, cmd.OutOrStdout(), func(out io.Writer) (err error) {
				if r, err = recordSensor(cmd.Context(), s, length); err != nil {
					return err
				}
				return writeJSON(out, r)
			})
			if err != nil {
				return err
			}
			printRecording(cmd.ErrOrStderr(), r, s.Bus)
			return nil
		},
	}
	socketFlag(c, &socket)
	c.Flags().DurationVar(&length, "for", time.Minute, "how long to record; Ctrl-C ends it earlier")
	outputFlag(c, &file)
	return c
}

// printRecording prints what a recording has.
func printRecording(out io.Writer, r *record.Recording, bus string) {
	failed := 0
	for _, reading := range r.Readings {
		if reading.Error != "" {
			failed++
		}
	}
	if r.Cut {
		fmt.Fprintf(out, "ended early: a recording has %d operations at most\n", record.MaxOperations)
	}
	fmt.Fprintf(out, "%d readings, %d of them failed, %d operations on %s\n", len(r.Readings), failed, len(r.Operations), bus)
}

// recordSensor records until ctx ends, for a time at most.
func recordSensor(ctx context.Context, s *config.Sensor, length time.Duration) (*record.Recording, error) {
	buses := openBuses(newLogger(new(slog.LevelVar)))
	defer buses.Close()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	r, err := record.Session(ctx, s.Spec, buses, s.Bus, s.Options, s.Every, cmp.Or(s.Timeout, patience))
	if err != nil {
		return nil, err
	}
	r.Program = versionText()
	return r, nil
}
