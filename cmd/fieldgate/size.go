package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/sizing"
	"github.com/spf13/cobra"
)

func queueSizeCommand(o *options) *cobra.Command {
	var outage time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use: "size --for 6h", Short: "Estimate the storage an outage needs with this configuration",
		Long: `Size stores a sample of readings as the configured sensors would make them, in a store of its own that is removed afterwards, and estimates
from that what an outage needs. The values of the sample vary at random, as real ones rarely do: real readings compress as well or better. Filters
that drop readings (deadband, on_change) are not taken into account.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if outage <= 0 {
				return usageError{errors.New("--for must give the length of the outage, such as --for 6h")}
			}
			c, err := o.load()
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
	fmt.Fprintf(w, "readings\t%s of %s, %s in %s\n", rateText(r.Rate), several(r.Sensors, "sensor"), grouped(r.Readings, 0), lengthText(r.Outage))
	fmt.Fprintf(w, "stored\t%s a reading, with %s a commit\n", several(int(math.Round(r.BytesPerReading)), "byte"), several(r.PerCommit, "reading"))
	fmt.Fprintf(w, "needs\t%s of the card, %s of that for an outage of any length; buffer.max_bytes is %s\n", health.Bytes(r.Needs), health.Bytes(r.Fixed), health.Bytes(float64(r.MaxBytes)))
	fmt.Fprintf(w, "written\t%s to the card by the store, %s a day, and the file system's journal on top\n", health.Bytes(r.Written), health.Bytes(r.WrittenPerDay))
	verdict := fmt.Sprintf("it fits; the store is full after %s", lengthText(r.FullAfter))
	if !r.Fits {
		verdict = fmt.Sprintf("it does not fit: the store is full after %s. Raise buffer.max_bytes to %q, or set when_full = \"thin\" to keep means of the oldest",
			lengthText(r.FullAfter), enough(r.Needs))
	}
	fmt.Fprintf(w, "verdict\t%s\n", verdict)
	return w.Flush()
}

// enough returns a size of the configuration with room for n bytes, in whole MiB or, from ten of
// them on, GiB.
func enough(n float64) string {
	const MiB, GiB = 1 << 20, 1 << 30
	if n < 10*GiB {
		return fmt.Sprintf("%.0fMiB", math.Floor(n/MiB)+1)
	}
	return fmt.Sprintf("%.0fGiB", math.Floor(n/GiB)+1)
}

// rateText shows how often something happens, in the shortest unit of time in which it happens
// once.
func rateText(perSecond float64) string {
	for _, unit := range []struct {
		name    string
		seconds float64
	}{{"s", 1}, {"min", 60}, {"h", 3600}, {"day", 86400}} {
		if n := perSecond * unit.seconds; n >= 1 || unit.name == "day" {
			decimals := 0
			if n < 100 {
				decimals = 1
			}
			return grouped(n, decimals) + "/" + unit.name
		}
	}
	return "" // a day is the longest
}

// lengthText shows a length of time in the units that suit it best: "6h", "1h30m", "12 days".
func lengthText(d time.Duration) string {
	switch {
	case d >= 10*365*24*time.Hour:
		return "more than 10 years"
	case d >= 48*time.Hour:
		return grouped(d.Hours()/24, 1) + " days"
	case d >= time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Second)
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// grouped shows a number with commas between its thousands, and no decimals that are 0.
func grouped(n float64, decimals int) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(n, 'f', decimals, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// several shows how many there are of something.
func several(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return grouped(float64(n), 0) + " " + of + "s"
}
