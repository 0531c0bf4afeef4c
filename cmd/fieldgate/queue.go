package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/inspect"
)

func queueCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "queue", Short: "Inspect the queue of the running gateway",
		Args: cobra.NoArgs,
	}
	c.AddCommand(queueStatsCommand(o), queueExportCommand(o), deadLetterCommand(o), queueSizeCommand(o))
	return c
}

func queueStatsCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "stats", Short: "Show what is waiting, per sensor",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := dial(o, socket, cmd.ErrOrStderr()).QueueStats(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			return printQueue(cmd.OutOrStdout(), s)
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printQueue(out io.Writer, s contract.QueueStats) error {
	fmt.Fprintf(out, "%d readings, %d events; %d of them in flight; %d dead letters; %d losses not yet reported; %s of %s\n",
		s.Readings, s.Events, s.InFlight, s.Dead, s.Losses, health.Bytes(float64(s.Bytes)), health.Bytes(float64(s.MaxBytes)))
	if len(s.Sensors) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SENSOR\tREADINGS\tBYTES\tOLDEST")
	for _, name := range slices.Sorted(maps.Keys(s.Sensors)) {
		v := s.Sensors[name]
		at := fmt.Sprintf("run %s, seq %d", v.OldestRun, v.OldestSeq)
		if !v.Oldest.IsZero() {
			at = v.Oldest.Local().Format("2006-01-02 15:04:05") + ", " + at
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", name, v.Readings, health.Bytes(float64(v.Bytes)), at)
	}
	return w.Flush()
}

func queueExportCommand(o *options) *cobra.Command {
	var socket, format, file string
	c := &cobra.Command{
		Use: "export", Short: "Write every waiting reading, as JSON lines or CSV",
		Long: `Export writes every reading that is not yet acknowledged, oldest first within a priority. Nothing is removed, and delivery goes on: readings that
are acknowledged meanwhile may be missing. JSON lines are documents as the cloud receives them (fieldgate verify --partial reads them); CSV has one
line per field.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "json" && format != "csv" {
				return usageError{fmt.Errorf("--format must be json or csv, not %q", format)}
			}
			return writeFile(file, cmd.OutOrStdout(), func(out io.Writer) error {
				if format == "json" {
					return dial(o, socket, cmd.ErrOrStderr()).Export(cmd.Context(), out)
				}
				return inspect.WriteCSV(out, func(lines io.Writer) error { return dial(o, socket, cmd.ErrOrStderr()).Export(cmd.Context(), lines) })
			})
		},
	}
	socketFlag(c, &socket)
	c.Flags().StringVar(&format, "format", "json", "json (lines) or csv")
	outputFlag(c, &file)
	return c
}

// outputFlag adds -o and --output.
func outputFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "output", "o", "", "new `file` to write, or a device or pipe (default: standard output)")
}

// writeFile has write write to a new file, which is removed if that fails, to a device or pipe, or
// to standard output if file is empty.
func writeFile(file string, stdout io.Writer, write func(io.Writer) error) error {
	if file == "" {
		return write(stdout)
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

func deadLetterCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "dead-letter", Short: "List what the broker refused, send it again, or discard it",
		Args: cobra.NoArgs,
	}
	var socket string
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the dead letters", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			lines := json.NewEncoder(out)
			n := 0
			err := dial(o, socket, cmd.ErrOrStderr()).DeadLetters(cmd.Context(), func(d contract.DeadLetter) error {
				n++
				if asJSON {
					return lines.Encode(d)
				}
				_, err := fmt.Fprintf(out, "%d  %s  %s\n", d.ID, oneLine(d.Reason), d.Document)
				return err
			})
			if err == nil && n == 0 && !asJSON {
				fmt.Fprintln(out, "there are no dead letters")
			}
			return err
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	retry := deadCommand(o, &socket, "retry", "Send dead letters again", "sent again", (*control.Client).RetryDead)
	drop := deadCommand(o, &socket, "drop", "Discard dead letters (the loss ledger already lists them)", "dropped", (*control.Client).DropDead)
	for _, sub := range []*cobra.Command{list, retry, drop} {
		socketFlag(sub, &socket)
		c.AddCommand(sub)
	}
	return c
}

func deadCommand(o *options, socket *string, name, short, done string, do func(*control.Client, context.Context, contract.DeadChoice) (int, error)) *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use: name + " <id>... | --all", Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{errors.New("name ids (fieldgate queue dead-letter list shows them), or use --all")}
			}
			var ids []int64
			for _, a := range args {
				id, err := strconv.ParseInt(a, 10, 64)
				if err != nil {
					return usageError{fmt.Errorf("%q is not an id; ids are in the first column of fieldgate queue dead-letter list", a)}
				}
				ids = append(ids, id)
			}
			n, err := do(dial(o, *socket, cmd.ErrOrStderr()), cmd.Context(), contract.DeadChoice{All: all, IDs: ids})
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), struct {
					Count int `json:"count"`
				}{n})
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d %s\n", n, done)
			}
			if err != nil {
				return err
			}
			if n < len(ids) {
				return fmt.Errorf("%d of the ids were not found", len(ids)-n)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all of them")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
