package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/internal/unit"
)

func unitCommand(o *options) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "unit [FILE]", Args: cobra.MaximumNArgs(1), Short: "Print a drop-in for the service with the rights that the configuration needs",
		Long: "Unit prints a drop-in for fieldgate.service: the device files, groups, address families and credentials that the configuration needs, and\n" +
			"no others. It looks at the devices that are there now, so run it on the gateway itself. To put it in force:\n\n" +
			"  sudo fieldgate unit -o " + unit.Path + "\n  sudo systemctl daemon-reload && sudo systemctl restart fieldgate",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.file(cmd, args); err != nil {
				return err
			}
			c, err := o.load()
			if err != nil {
				return usageError{err}
			}
			file, err := filepath.Abs(o.config)
			if err != nil {
				return err
			}
			text := unit.DropIn(c, file, unit.This{})
			if out == "" {
				_, err := fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is written; to put it in force: systemctl daemon-reload && systemctl restart fieldgate\n", out)
			return nil
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "write to a `file`, such as "+unit.Path)
	return c
}
