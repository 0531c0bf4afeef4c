package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/health"
)

// socketFlag adds --socket, for when the configuration cannot be read.
func socketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", "", "control `socket` of the gateway (default: the configuration's)")
}

func statusCommand(o *options) *cobra.Command {
	var socket string
	var asJSON, check bool
	var wait time.Duration
	c := &cobra.Command{
		Use: "status", Short: "Show the state of the running gateway",
		Long: "Status shows the state of the running gateway. With --check it prints one line for monitoring and sets the exit code: 0 ok, 1 degraded,\n" +
			"2 wrong usage, 3 no gateway answers. With --wait it waits for the state to be ok first, at most so long.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := dial(o, socket, cmd.ErrOrStderr())
			s, err := client.Status(cmd.Context())
			if check {
				for end := time.Now().Add(wait); (err != nil || s.Health.State != "ok") && time.Now().Before(end) && cmd.Context().Err() == nil; {
					select {
					case <-cmd.Context().Done():
					case <-time.After(time.Second):
					}
					if err != nil { // a gateway that starts meanwhile may be elsewhere
						client = dial(o, socket, io.Discard)
					}
					s, err = client.Status(cmd.Context())
				}
				return checkStatus(cmd.OutOrStdout(), s, err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(s)
			}
			return printStatus(cmd.OutOrStdout(), s)
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&check, "check", false, "print one line, and exit with 1 if the state is degraded, 3 if no gateway answers")
	c.Flags().DurationVar(&wait, "wait", 0, "with --check: how long to wait for the state to become ok")
	c.MarkFlagsMutuallyExclusive("json", "check")
	c.MarkFlagsMutuallyExclusive("json", "wait")
	return c
}

// Exit codes of status --check beside exitDone and exitUsage; monitoring plug-ins take them for
// warning and unknown.
const (
	exitDegraded = 1
	exitUnknown  = 3
)

// checkStatus prints a line and returns the exit code that says the same.
func checkStatus(out io.Writer, s contract.LocalStatus, err error) error {
	if err != nil {
		fmt.Fprintln(out, "unknown:", err)
		return exitCode(exitUnknown)
	}
	fmt.Fprintln(out, health.StatusLine(s.Health))
	if s.Health.State != "ok" {
		return exitCode(exitDegraded)
	}
	return nil
}

func printStatus(out io.Writer, s contract.LocalStatus) error {
	h := s.Health
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "gateway\t%s\t(fieldgate %s, process %d)\n", s.Gateway, s.Version, s.PID)
	if text := (board.Board{Model: s.Board, System: s.System}).String(); text != "" {
		fmt.Fprintf(w, "board\t%s\n", oneLine(text))
	}
	fmt.Fprintf(w, "state\t%s\n", h.State)
	for _, r := range h.Reasons {
		fmt.Fprintf(w, "\t%s\n", oneLine(r))
	}
	for _, a := range h.Alarms {
		fmt.Fprintf(w, "alarm\t%s\n", oneLine(a))
	}
	if s.Config != "current" {
		fmt.Fprintf(w, "config\t%s: the files are wrong; this is the last configuration that worked\n", s.Config)
		for _, p := range s.Problem {
			fmt.Fprintf(w, "\t%s\n", p)
		}
	}
	fmt.Fprintf(w, "link\t%s\n", oneLine(health.LinkText(s)))
	if p := s.Page; p != nil {
		fmt.Fprintf(w, "page\t%s%s\n", p.URL, certificate(p.Fingerprint))
	}
	fmt.Fprintf(w, "traffic\t%s\n", health.TrafficText(h.Link))
	fmt.Fprintf(w, "queue\t%s\n", health.QueueText(h))
	fmt.Fprintf(w, "rates\t%s\n", health.RatesText(h.Queue))
	fmt.Fprintf(w, "delivered\t%s\n", health.DeliveredText(h.Queue))
	fmt.Fprintf(w, "flash\t%s\n", health.FlashText(h.Flash))
	if d := h.Flash.Device; d != nil {
		fmt.Fprintf(w, "card\t%s\n", health.CardText(d))
	}
	fmt.Fprintf(w, "identity\trun %s in store %s, start %d\n", h.Run, h.Store, h.Boot)
	if s.Clock != "" { // an older gateway does not say it
		fmt.Fprintf(w, "clock\t%s\n", oneLine(s.Clock))
	}
	fmt.Fprintf(w, "shadow\tdesired %d, reported %d, rejected %d\n", s.Shadow.DesiredVersion, s.Shadow.Version, len(s.Shadow.Rejected))
	for _, path := range slices.Sorted(maps.Keys(s.Shadow.Rejected)) {
		fmt.Fprintf(w, "\trejected %s: %s\n", oneLine(path), oneLine(s.Shadow.Rejected[path]))
	}
	for i, p := range s.Settings {
		fmt.Fprintf(w, "%s\t%s = %s\t(%s)\n", []string{"settings", ""}[min(i, 1)], p.Key, p.Value, p.From)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	const column = 11
	if _, err := io.WriteString(out, hung(table.String(), column, columns(out))); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return printSensors(out, s)
}

// printSensors prints the table of the sensors. What is wrong with one has lines of its own below
// its row: a column would be as wide as the longest message.
func printSensors(out io.Writer, s contract.LocalStatus) error {
	h := s.Health
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SENSOR\tSTATE\tEVERY\tREADS\tFAILURES\tSKIPPED")
	for _, name := range slices.Sorted(maps.Keys(h.Sensors)) {
		v, set := h.Sensors[name], s.Shadow.State.Sensors[name]
		every := set.Every
		if s.Origins["sensors."+name+".every"] != "" {
			every += " (shadow)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\n", name, v.State, every, v.Reads, v.Failures, v.Skipped)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for row := range strings.Lines(table.String()) {
		head := text.Len() == 0
		text.WriteString(row)
		name, _, _ := strings.Cut(row, " ")
		if head {
			continue
		}
		for _, line := range health.Complaints(h.Sensors[name]) {
			text.WriteString("    " + oneLine(line) + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// certificate says which certificate the status page has.
func certificate(fingerprint string) string {
	if fingerprint == "" {
		return ""
	}
	return " (certificate SHA-256 " + fingerprint + ")"
}

func tailCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "tail [sensor...]", Short: "Print readings as the running gateway takes them",
		Long:              "Tail prints readings as the running gateway takes them: of all sensors, or of those that are named.",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSensor(o),
		RunE: func(cmd *cobra.Command, names []string) error {
			out := cmd.OutOrStdout()
			lines := json.NewEncoder(out)
			client := dial(o, socket, cmd.ErrOrStderr())
			if err := known(cmd.Context(), client, names); err != nil {
				return err
			}
			return client.Tail(cmd.Context(), func(e contract.Telemetry) {
				if len(names) > 0 && !slices.Contains(names, e.Sensor) {
					return
				}
				if asJSON {
					_ = lines.Encode(e)
					return
				}
				printEntry(out, e)
			})
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON lines")
	return c
}

// known returns an error for a name that no sensor of the running gateway has.
func known(ctx context.Context, client *control.Client, names []string) error {
	if len(names) == 0 {
		return nil
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	there := slices.Sorted(maps.Keys(s.Health.Sensors))
	for _, name := range names {
		if !slices.Contains(there, name) {
			return usageError{noSensor("the gateway", name, there)}
		}
	}
	return nil
}

func printEntry(out io.Writer, e contract.Telemetry) {
	for _, r := range e.Readings {
		at := r.TS.Local().Format("15:04:05.000")
		if r.Up != nil {
			at = fmt.Sprintf("up %.3f", *r.Up)
		}
		var b strings.Builder
		for _, field := range slices.Sorted(maps.Keys(r.Fields)) {
			if reason := r.Bad[field]; reason != "" {
				fmt.Fprintf(&b, "  %s=– (%s)", field, oneLine(reason))
				continue
			}
			fmt.Fprintf(&b, "  %s=%s", field, oneLine(fmt.Sprint(r.Fields[field])))
			if unit := r.Units[field]; unit != "" && unit != "/" { // a ratio
				b.WriteString(" " + unit)
			}
		}
		fmt.Fprintf(out, "%s  %s #%d%s\n", at, e.Sensor, r.Seq, b.String())
	}
}
