package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

func checkCommand(o *options) *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use: "check [FILE]", Args: cobra.MaximumNArgs(1), Short: "Check the configuration and list every mistake",
		Long: "Check reads the configuration and lists every mistake. It opens no hardware and no connection. With -v it prints every value that is in\n" +
			"force, and whether it is the default, a preset's (cloud.platform, mqtt.line), or a file's.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.file(cmd, args); err != nil {
				return err
			}
			c, err := o.load()
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: gateway %s, %s, broker %s\n", o.config, c.Gateway.ID, several(len(c.Sensors), "sensor"), cmp.Or(strings.Join(c.MQTT.URLs, ", "), "none"))
			for _, w := range slices.Concat(c.Warnings(), homeassistant.Warnings(c)) {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w)
			}
			cost, err := sizing.WaitingCost(cmd.Context(), c)
			if err != nil {
				return err
			}
			if cost != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", cost)
			}
			if verbose {
				return printSettings(cmd.OutOrStdout(), c.Settings())
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print every value and where it comes from")
	return c
}

// printSettings prints keys outside of [[sensor]].
func printSettings(out io.Writer, list []config.Setting) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tFROM\tVALUE")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, s.From, s.Value)
	}
	return w.Flush()
}
