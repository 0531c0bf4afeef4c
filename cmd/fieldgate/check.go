package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

// checked is what check has found: check --json.
type checked struct {
	File     string             `json:"file"`
	OK       bool               `json:"ok"`
	Gateway  string             `json:"gateway,omitempty"`
	Broker   []string           `json:"broker,omitempty"`
	Sensors  []string           `json:"sensors,omitempty"`
	Problems []configProblem    `json:"problems"`
	Warnings []string           `json:"warnings"`
	Settings []contract.Setting `json:"settings,omitempty"` // with -v

	err error // that there are problems
}

// A configProblem is a mistake, with its place.
type configProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // 0: something is missing from the whole file
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func checkCommand(o *options) *cobra.Command {
	var verbose, asJSON bool
	c := &cobra.Command{
		Use: "check [FILE]", Args: cobra.MaximumNArgs(1), Short: "Check the configuration and list every mistake",
		Long: "Check reads the configuration and lists every mistake. It opens no hardware and no connection. With -v it prints every value that is in\n" +
			"force, and whether it is the default, a preset's (cloud.platform, mqtt.line), or a file's.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.file(cmd, args); err != nil {
				return err
			}
			r, err := o.check(cmd.Context(), verbose)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				if err := writeJSON(cmd.OutOrStdout(), r); err != nil || r.OK {
					return err
				}
				return exitCode(exitUsage)
			case !r.OK:
				return usageError{r.err}
			}
			return r.print(cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print every value and where it comes from")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// check checks the configuration that the flags name. The error is that of a look that failed, not
// of the configuration.
func (o *options) check(ctx context.Context, verbose bool) (*checked, error) {
	r := &checked{File: o.config, Problems: []configProblem{}, Warnings: []string{}}
	c, err := o.load()
	if err != nil {
		r.err = err
		var problems config.Problems
		if !errors.As(err, &problems) {
			r.Problems = append(r.Problems, configProblem{File: o.config, Message: err.Error()})
		}
		for _, p := range problems {
			r.Problems = append(r.Problems, configProblem{p.File, p.Line, p.Col, p.Msg})
		}
		return r, nil
	}
	r.OK, r.Gateway, r.Broker, r.Sensors = true, c.Gateway.ID, c.MQTT.URLs, sensorNames(c)
	r.Warnings = append(r.Warnings, slices.Concat(c.Warnings(), homeassistant.Warnings(c), enrol.Leftover(c))...)
	cost, err := sizing.WaitingCost(ctx, c)
	if err != nil {
		return nil, err
	}
	if cost != "" {
		r.Warnings = append(r.Warnings, cost)
	}
	if verbose {
		for _, s := range c.Settings() {
			r.Settings = append(r.Settings, contract.Setting(s))
		}
	}
	return r, nil
}

// print prints what was found in a configuration that is right.
func (r *checked) print(out io.Writer) error {
	fmt.Fprintf(out, "%s: ok: gateway %s, %s, broker %s\n", r.File, r.Gateway, several(len(r.Sensors), "sensor"), cmp.Or(strings.Join(r.Broker, ", "), "none"))
	for _, w := range r.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
	if r.Settings != nil {
		return printSettings(out, r.Settings)
	}
	return nil
}

// printSettings prints keys outside of [[sensor]].
func printSettings(out io.Writer, list []contract.Setting) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tFROM\tVALUE")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, s.From, s.Value)
	}
	return w.Flush()
}
