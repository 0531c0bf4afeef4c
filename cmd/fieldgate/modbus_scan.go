package main

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/internal/modbusline"
)

func modbusScanCommand(o *options) *cobra.Command {
	f := &modbusFlags{}
	s := &modbusline.Scan{}
	var units, table string
	var address int
	c := &cobra.Command{
		Use: "scan BUS", Short: "List the unit ids that answer, and at which baud rate and parity",
		Long: `Scan asks the units of a bus for one register; it only reads. An exception is an answer too. On a serial line it asks the units 1 to 16 at each baud
rate and parity, then the others; when one has answered it stays with that baud rate and parity, which all devices of a line share, unless --all is
set. Ctrl-C ends it and prints what was found until then.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			d, err := f.device(cmd, args[0])
			if err != nil {
				return err
			}
			if err := scanDefaults(cmd, &d, &units); err != nil {
				return err
			}
			if s.Units, err = parseUnits(units); err != nil {
				return usageError{fmt.Errorf("--units: %w", err)}
			}
			if err := f.mayUse(cmd.Context(), d.Bus); err != nil {
				return err
			}
			s.Register = modbus.Register{Field: "value", Table: table, Address: address}
			return f.scan(cmd, s, d)
		},
	}
	f.bind(c, o, "stop_bits", "timeout", "gap", "connect_delay")
	c.Flags().IntSliceVar(&s.Bauds, "baud", []int{9600, 19200, 38400, 115200, 57600, 4800, 2400}, "baud rates to try, in this order")
	c.Flags().StringSliceVar(&s.Parities, "parity", []string{"none", "even"}, "parities to try at each: none, even, odd")
	c.Flags().StringVar(&units, "units", "", "units to ask, such as 1-32,248 (default 1-247; over TCP 0-255)")
	c.Flags().StringVar(&table, "table", "holding", "what to ask for: holding, input, coil or discrete")
	c.Flags().IntVar(&address, "address", 0, "its address")
	c.Flags().BoolVar(&s.All, "all", false, "go on with the other baud rates and parities after an answer")
	return c
}

// scanDefaults sets what a scan does otherwise than a sensor.
func scanDefaults(c *cobra.Command, d *modbusline.Device, units *string) error {
	timeout, all := 150*time.Millisecond, "1-247"
	if !d.Serial() {
		for _, name := range []string{"baud", "parity", "all"} {
			if c.Flags().Changed(name) {
				return usageError{fmt.Errorf("--%s is for serial lines: %s speaks Modbus TCP (--rtu if it is a serial device server)", name, d.Bus)}
			}
		}
		timeout, all = 500*time.Millisecond, "0-255"
		if err := d.Set("any_unit", true); err != nil {
			return err
		}
	}
	if *units == "" {
		*units = all
	}
	if c.Flags().Changed("timeout") {
		return nil
	}
	return d.Set("timeout", timeout)
}

// parseUnits takes a list of units and ranges apart: "1-32,248".
func parseUnits(text string) (units []int, err error) {
	seen := map[int]bool{}
	for word := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(word), "-")
		if !isRange {
			to = from
		}
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		if errLow != nil || errHigh != nil || low < 0 || high > 255 || low > high {
			return nil, fmt.Errorf("%q; want units and ranges from 0 to 255, such as 1-32,248", word)
		}
		for u := low; u <= high; u++ {
			if !seen[u] {
				units = append(units, u)
			}
			seen[u] = true
		}
	}
	return units, nil
}

func (f *modbusFlags) scan(cmd *cobra.Command, s *modbusline.Scan, d modbusline.Device) error {
	said := cmd.ErrOrStderr()
	n, length := s.Requests(d)
	fmt.Fprintf(said, "up to %d requests; %v if nobody answers\n", n, length.Round(time.Second))
	s.Progress = func(modbusline.Step) {}
	wipe := func() {}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		wipe = func() { draw(said, "\r\x1b[K") }
		s.Progress = func(step modbusline.Step) {
			wipe()
			fmt.Fprint(said, strings.TrimSuffix(fmt.Sprintf("%d of %d: unit %d, %s", step.Done+1, step.Of, step.Unit, step.Mode), ", "))
		}
	}
	buses := openBuses(newLogger(new(slog.LevelVar)))
	defer buses.Close()
	found, err := s.Run(cmd.Context(), buses, d)
	wipe()
	if err != nil && cmd.Context().Err() == nil {
		return describeModbus(d.Bus, err)
	}
	if err := printUnits(cmd.OutOrStdout(), found, f.asJSON); err != nil {
		return err
	}
	switch {
	case err != nil:
		fmt.Fprintln(said, "ended before all units were asked")
		return exitCode(exitFailed)
	case len(found) == 0 && !d.Serial():
		return fmt.Errorf("no unit answers on %s: is this its port, and does it speak Modbus TCP? A serial device server needs --rtu, a slow device a longer --timeout", d.Bus)
	case len(found) == 0:
		return fmt.Errorf("no unit answers on %s: is a device powered and wired, A to A and B to B? Slow ones need a longer --timeout, other rates --baud", d.Bus)
	}
	return nil
}
