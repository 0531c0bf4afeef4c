package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
)

func checkCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check the configuration and tell every mistake",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(o.config, all.Specs())
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: gateway %s, %d sensors, broker %v\n", o.config, c.Gateway.ID, len(c.Sensors), c.MQTT.URLs)
			return nil
		},
	}
}

func readCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "read <sensor>", Short: "Measure once with a configured sensor and print what it returns",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			c, err := config.Load(o.config, all.Specs())
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return sensorNames(c), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(o.config, all.Specs())
			if err != nil {
				return usageError{err}
			}
			for i := range c.Sensors {
				if c.Sensors[i].Name == args[0] {
					return readOnce(cmd.Context(), &c.Sensors[i])
				}
			}
			return usageError{fmt.Errorf("there is no sensor %q; there are %v", args[0], sensorNames(c))}
		},
	}
}

func sensorNames(c *config.Config) []string {
	names := make([]string, len(c.Sensors))
	for i := range c.Sensors {
		names[i] = c.Sensors[i].Name
	}
	return names
}

// readOnce opens a sensor, measures, and prints a table. The filters of the configuration are not applied.
func readOnce(ctx context.Context, s *config.Sensor) error {
	buses := openBuses(newLogger(new(slog.LevelVar)))
	defer buses.Close()
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	driver, err := s.Spec.Open(ctx, buses, s.Bus, s.Options)
	if err != nil {
		return err
	}
	defer driver.Close()
	began := time.Now()
	values, err := driver.Read(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	units := map[string]drivers.Field{}
	for _, f := range s.Spec.Fields(s.Options) {
		units[f.Name] = f
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, v := range values {
		shown := fmt.Sprint(v.Any())
		if v.Kind() == drivers.KindBad {
			shown = "– (" + v.Reason() + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Field, shown, units[v.Field].Unit, units[v.Field].Doc)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("(%s %s, %v)\n", s.Driver, s.Bus, took.Round(time.Microsecond))
	return nil
}
