package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/internal/modbusline"
)

func modbusIdentifyCommand(o *options) *cobra.Command {
	f := &modbusFlags{}
	c := &cobra.Command{
		Use: "identify BUS", Short: "Find the profile that fits a device",
		Long: `Identify reads the registers of each profile in turn, and names those of which the device has all, with values that are possible there. It only reads.
The best comes first. A device that answers zeros where it has no register fits several: what is printed on it decides.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := f.device(cmd, args[0])
			if err != nil {
				return err
			}
			if err := f.mayUse(cmd.Context(), d.Bus); err != nil {
				return err
			}
			buses := openBuses(newLogger(new(slog.LevelVar)))
			defer buses.Close()
			fmt.Fprintf(cmd.ErrOrStderr(), "trying %d profiles\n", len(modbus.SpecRTU.Options().(*modbus.RTU).ProfileNames()))
			matches, err := d.Identify(cmd.Context(), buses)
			if err != nil {
				return describeModbus(d.Bus, err)
			}
			if f.asJSON {
				return writeJSON(cmd.OutOrStdout(), append([]modbus.Match{}, matches...))
			}
			if len(matches) == 0 {
				return fmt.Errorf("%s: unit %d answers, but no profile fits: describe its registers from its manual (fieldgate modbus read shows what they hold)", d.Bus, d.Unit())
			}
			return printMatches(cmd.OutOrStdout(), d, matches)
		},
	}
	f.bind(c, o, "unit_id", "baud", "parity", "stop_bits", "timeout", "gap", "any_unit", "connect_delay")
	return c
}

// printMatches prints profiles with what speaks for them, and a sensor with the first.
func printMatches(out io.Writer, d modbusline.Device, matches []modbus.Match) error {
	for _, m := range matches {
		fmt.Fprintln(out, m.Profile)
		line := ""
		for _, e := range m.Evidence {
			if len(line)+len(e) > 72 {
				fmt.Fprintf(out, "    %s\n", oneLine(line))
				line = ""
			}
			line = strings.TrimPrefix(line+", "+e, ", ")
		}
		fmt.Fprintf(out, "    %s\n", oneLine(line))
	}
	best := matches[0]
	if len(matches) > 1 && matches[1].Score == best.Score && matches[1].Fields == best.Fields {
		fmt.Fprintln(out, "\nThe first ones fit equally well: what is printed on the device decides.")
	}
	_, err := fmt.Fprintf(out, "\n[[sensor]]\nname = \"my-device\"\ndriver = %q\nbus = %q\nevery = \"10s\"\n[sensor.options]\nprofile = %q\n%s",
		d.Spec.Name, d.Bus, best.Profile, d.Settings())
	return err
}
