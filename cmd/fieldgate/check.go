package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func checkCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Args: cobra.MaximumNArgs(1), Short: "Check the configuration and list every mistake",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.file(cmd, args); err != nil {
				return err
			}
			c, err := o.load()
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: gateway %s, %s, broker %s\n", o.config, c.Gateway.ID, several(len(c.Sensors), "sensor"), strings.Join(c.MQTT.URLs, ", "))
			for _, w := range c.Warnings() {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w)
			}
			return nil
		},
	}
}
