package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

func queueSizeCommand(o *options) *cobra.Command {
	var outage time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use: "size --for 6h", Short: "Tell what an outage of that length needs with this configuration",
		Long: `Size stores a sample of readings as the configured sensors would make them, in a store of its own that is removed afterwards, and tells
from that what an outage needs. The numbers of the sample vary at random, as real ones rarely do: real readings compress as well or better. Filters
that drop readings (deadband, on_change) are not counted on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if outage <= 0 {
				return usageError{errors.New("--for must say how long the outage is, such as --for 6h")}
			}
			c, err := config.Load(o.config, all.Specs())
			if err != nil {
				return usageError{err}
			}
			e, err := sizing.Measure(cmd.Context(), c)
			if err != nil {
				return err
			}
			r := e.Report(outage)
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return printSize(cmd.OutOrStdout(), r)
		},
	}
	c.Flags().DurationVar(&outage, "for", 0, "`length` of the outage")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printSize(out io.Writer, r sizing.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "readings\t%.3g/s of %d sensors, %.3g in %v\n", r.Rate, r.Sensors, r.Readings, r.Outage)
	fmt.Fprintf(w, "stored\t%.0f bytes a reading, with %d readings a commit\n", r.BytesPerReading, r.PerCommit)
	fmt.Fprintf(w, "needs\t%s of the card, %s of that whatever the outage; buffer.max_bytes is %s\n", bytesText(r.Needs), bytesText(r.Fixed), bytesText(float64(r.MaxBytes)))
	fmt.Fprintf(w, "written\t%s to the card by the store, %s a day, and the file system's journal on top\n", bytesText(r.Written), bytesText(r.WrittenPerDay))
	verdict := fmt.Sprintf("it fits; the store is full after %v", r.FullAfter.Round(time.Minute))
	if !r.Fits {
		verdict = fmt.Sprintf("it does not fit: the store is full after %v. Raise buffer.max_bytes to \"%dMiB\", or let when_full = \"thin\" keep means of the oldest",
			r.FullAfter.Round(time.Minute), int64(r.Needs)>>20+1)
	}
	fmt.Fprintf(w, "verdict\t%s\n", verdict)
	return w.Flush()
}
