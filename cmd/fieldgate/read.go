package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	patience = 30 * time.Second // with a sensor that has no timeout
	silence  = time.Second      // after which a person wants to know what is waited for
)

func readCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "read <sensor>", Short: "Measure once with a configured sensor and print the result",
		Args:              oneSensor(o),
		ValidArgsFunction: completeSensor(o),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, s, err := sensorNamed(o, args[0])
			if err != nil {
				return err
			}
			if s.Spec.Bus != drivers.NoBus {
				if status, err := runningGateway(cmd.Context(), o, socket, c); err != nil {
					return err
				} else if status != nil {
					return fmt.Errorf("the gateway is running (process %d) and reads the sensors: fieldgate tail shows them; to read one here, stop it first (sudo systemctl stop fieldgate)", status.PID)
				}
			}
			timeout := cmp.Or(s.Timeout, patience)
			said := printWaiting(os.Stderr, silence, fmt.Sprintf("waiting up to %s for %s", lengthText(timeout), s.Name))
			defer said()
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			r, err := readOnce(ctx, s)
			if err != nil {
				return ofSensor(s, err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return printReading(cmd.OutOrStdout(), s, r)
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// oneSensor takes one argument, and names the sensors if it is missing.
func oneSensor(o *options) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("one sensor at a time, not %s", strings.Join(args, ", "))
		}
		if len(args) == 1 {
			return nil
		}
		c, err := o.load()
		if err != nil {
			return fmt.Errorf("which sensor? %w", err)
		}
		return fmt.Errorf("which sensor? %s", sensorsOf("the configuration", sensorNames(c)))
	}
}

func completeSensor(o *options) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		c, err := o.load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return sensorNames(c), cobra.ShellCompDirectiveNoFileComp
	}
}

// sensorNamed returns the configuration, and a sensor of it.
func sensorNamed(o *options, name string) (*config.Config, *config.Sensor, error) {
	c, err := o.load()
	if err != nil {
		return nil, nil, usageError{err}
	}
	i := slices.IndexFunc(c.Sensors, func(s config.Sensor) bool { return s.Name == name })
	if i < 0 {
		return nil, nil, usageError{noSensor("the configuration", name, sensorNames(c))}
	}
	return c, &c.Sensors[i], nil
}

// noSensor says that none has a name, and which there are.
func noSensor(where, name string, names []string) error {
	return fmt.Errorf("there is no sensor %q%s; %s", name, config.DidYouMean(name, names), sensorsOf(where, names))
}

// sensorsOf says which sensors there are.
func sensorsOf(where string, names []string) string {
	if len(names) == 0 {
		return where + " has none"
	}
	return "there are " + strings.Join(names, ", ")
}

func sensorNames(c *config.Config) []string {
	names := make([]string, len(c.Sensors))
	for i := range c.Sensors {
		names[i] = c.Sensors[i].Name
	}
	return names
}

// printWaiting says on a terminal what is waited for, when it has taken a while. Stop ends that.
func printWaiting(out *os.File, after time.Duration, text string) (stop func()) {
	if !term.IsTerminal(int(out.Fd())) {
		return func() {}
	}
	timer := time.AfterFunc(after, func() { fmt.Fprintln(out, text) })
	return func() { timer.Stop() }
}

// ofSensor adds to an error of a driver the sensor, and the bus if the driver did not name it, as
// one on a serial line cannot.
func ofSensor(s *config.Sensor, err error) error {
	if s.Bus == "" || strings.Contains(err.Error(), s.Bus) {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return fmt.Errorf("%s on %s: %w", s.Name, s.Bus, err)
}

// oneReading is one measurement: read --json.
type oneReading struct {
	Sensor string `json:"sensor"`
	Driver string `json:"driver"`
	Bus    string `json:"bus,omitempty"`
	contract.Measured
	Took float64 `json:"took"` // seconds

	values []drivers.Value // in the driver's order
}

// readOnce opens a sensor and measures. The filters of the configuration are not applied.
func readOnce(ctx context.Context, s *config.Sensor) (*oneReading, error) {
	buses := openBuses(newLogger(new(slog.LevelVar)))
	defer buses.Close()
	driver, err := s.Spec.Open(ctx, buses, s.Bus, s.Options)
	if err != nil {
		return nil, err
	}
	defer driver.Close()
	began := time.Now()
	values, err := driver.Read(ctx)
	if err != nil {
		return nil, err
	}
	r := &oneReading{Sensor: s.Name, Driver: s.Driver, Bus: s.Bus, Took: time.Since(began).Seconds(), values: values,
		Measured: contract.Measured{Fields: map[string]any{}, Bad: map[string]string{}, Units: map[string]string{}}}
	for _, f := range s.Spec.Fields(s.Options) {
		if f.Unit != "" {
			r.Units[f.Name] = f.Unit
		}
	}
	for _, v := range values {
		r.Fields[v.Field] = v.Any()
		if v.Kind() == drivers.KindBad {
			r.Fields[v.Field], r.Bad[v.Field] = nil, v.Reason()
		}
	}
	return r, nil
}

// printReading prints a reading as a table.
func printReading(out io.Writer, s *config.Sensor, r *oneReading) error {
	fields := map[string]drivers.Field{}
	for _, f := range s.Spec.Fields(s.Options) {
		fields[f.Name] = f
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range r.values {
		shown := oneLine(fmt.Sprint(v.Any()))
		if v.Kind() == drivers.KindBad {
			shown = "– (" + oneLine(v.Reason()) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Field, shown, fields[v.Field].Unit, fields[v.Field].Describe())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	device := s.Driver
	if s.Bus != "" {
		device += " on " + s.Bus
	}
	_, err := fmt.Fprintf(out, "(%s, %v)\n", device, time.Duration(r.Took*float64(time.Second)).Round(time.Microsecond))
	return err
}
