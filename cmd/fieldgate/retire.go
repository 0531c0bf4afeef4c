package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/courier"
	"github.com/fieldgate/fieldgate/internal/doctor"
	"github.com/fieldgate/fieldgate/internal/retire"
)

type retireFlags struct {
	*options
	export, socket          string
	empty, noBroker, asJSON bool
}

// retired is what retire did: retire --json.
type retired struct {
	Gateway  string            `json:"gateway"`
	Events   int               `json:"events"`   // delivered
	Cleared  int               `json:"cleared"`  // retained documents
	Left     map[string]string `json:"left"`     // those that are still there, with the reason
	Readings int64             `json:"readings"` // that waited
	Dead     int64             `json:"dead"`     // dead letters
	Export   string            `json:"export,omitempty"`
	Deleted  []string          `json:"deleted"` // files

	skipped int // retained documents that --no-broker leaves
}

// waiting says what was not delivered.
func (r *retired) waiting() string {
	text := several(int(r.Readings), "reading")
	if r.Dead > 0 {
		text += " and " + several(int(r.Dead), "dead letter")
	}
	return text
}

func retireCommand(o *options) *cobra.Command {
	f := &retireFlags{options: o}
	c := &cobra.Command{
		Use: "retire", Short: "Take a stopped gateway out of service",
		Long: `Retire delivers the last events of a stopped gateway, says farewell on P/status, and clears every retained document that it keeps at the
broker: status, health, sensors, last readings, the shadow, and what Home Assistant was told. Readings that wait are not lost: --export writes
them to a file as fieldgate verify reads them, and without it or --empty retire refuses.

--empty deletes the store and the identity: what enrolment wrote, and a random machine id. The configuration stays. Retire can be repeated
until everything is cleared. It needs the rights and the credentials of the service:

  sudo systemctl stop fieldgate
  sudo systemd-run --pipe --wait -q -p User=fieldgate fieldgate retire --export /var/lib/fieldgate/waiting.jsonl --empty`,
		Args: cobra.NoArgs,
		RunE: f.run,
	}
	flags := c.Flags()
	flags.StringVar(&f.export, "export", "", "new `file` for what waits, as JSON lines")
	flags.BoolVar(&f.empty, "empty", false, "delete the store and the identity in the end")
	flags.BoolVar(&f.noBroker, "no-broker", false, "the broker is gone for good: clear nothing there")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	socketFlag(c, &f.socket)
	stateFlag(c, o)
	return c
}

func (f *retireFlags) run(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	c, err := f.load()
	if err != nil {
		return usageError{err}
	}
	if err := f.stopped(ctx, c); err != nil {
		return err
	}
	store := storeInUse(f.options, c)
	if err := mayOpen(store); err != nil {
		return err
	}
	g, err := retire.Open(ctx, retire.Config{Config: c, Store: store, Version: version, Built: buildTime(), Log: slog.New(&sentences{out: cmd.ErrOrStderr()})})
	if err != nil {
		return err
	}
	r := retired{Gateway: c.Gateway.ID, Left: map[string]string{}, Deleted: []string{}}
	err = f.leave(ctx, c, g, &r)
	if err = errors.Join(err, g.Close(ctx)); err != nil {
		return err
	}
	if f.empty && len(r.Left) == 0 {
		if r.Deleted, err = retire.Empty(store, f.state(c)); err != nil {
			return fmt.Errorf("the broker is cleared, and some files cannot be deleted: %w", err)
		}
	}
	if f.asJSON {
		err = writeJSON(cmd.OutOrStdout(), r)
	} else {
		r.print(cmd.OutOrStdout(), f)
	}
	if err == nil && len(r.Left) > 0 {
		err = fmt.Errorf("%s at the broker could not be cleared; let the gateway's user write there, and run it again", several(len(r.Left), "document"))
	}
	return err
}

// stopped makes sure that no gateway works with the store.
func (f *retireFlags) stopped(ctx context.Context, c *config.Config) error {
	switch status, err := runningGateway(ctx, f.options, f.socket, c); {
	case err != nil:
		return err
	case status != nil:
		return fmt.Errorf("gateway %s runs, and would send everything again: stop it first: sudo systemctl stop fieldgate", status.Gateway)
	}
	return nil
}

// mayOpen makes sure that the store exists, and that the service can still open it afterwards.
func mayOpen(store string) error {
	info, err := os.Stat(store)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store %s: a gateway with this configuration never ran here, or is retired (--state-dir names another place)", store)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, doctor.AsService)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the store %s is another user's, who could not open it afterwards: %s", store, strings.ReplaceAll(doctor.AsService, "COMMAND", "retire"))
	}
	return nil
}

// state is the state directory of the gateway.
func (f *retireFlags) state(c *config.Config) string {
	if f.stateDir != "" {
		return f.stateDir
	}
	for _, p := range config.ThisProcess().Running() {
		if p.Store(c) == storeInUse(f.options, c) {
			return p.State
		}
	}
	return ""
}

// leave does what is to be done before the store may be deleted. If the broker is not there nothing
// is done.
func (f *retireFlags) leave(ctx context.Context, c *config.Config, g *retire.Gateway, r *retired) error {
	if r.Readings, r.Dead = g.Waiting(); r.Readings+r.Dead > 0 && f.export == "" && !f.empty {
		return fmt.Errorf("%s not delivered: --export FILE writes them to a file, --empty discards them; nothing was changed", r.waiting())
	}
	topics, err := g.Topics(ctx)
	if err != nil {
		return err
	}
	var broker *courier.Courier
	if !f.noBroker && c.NoBroker() == "" && !c.ToEnrol() {
		if broker, err = courier.Connect(ctx, c, now()); err != nil {
			return fmt.Errorf("the broker cannot be reached, where %s of this gateway are left: %w; nothing was changed, run it again when it is there (--no-broker if it never will be)",
				several(len(topics), "document"), err)
		}
		defer broker.Close()
	}
	if f.export != "" {
		if err := writeFile(f.export, io.Discard, func(out io.Writer) error { return g.Export(ctx, out) }); err != nil {
			return fmt.Errorf("--export: %w; nothing was changed", err)
		}
		r.Export = f.export
	}
	if broker == nil {
		r.skipped = len(topics)
		return nil
	}
	done, err := g.Leave(ctx, broker)
	r.Events, r.Cleared, r.Left = done.Events, done.Cleared, done.Left
	return err
}

func (r *retired) print(out io.Writer, f *retireFlags) {
	fmt.Fprintf(out, "gateway %s: %s delivered, %s cleared at the broker\n", r.Gateway, several(r.Events, "event"), several(r.Cleared, "document"))
	for topic, why := range r.Left {
		fmt.Fprintf(out, "not cleared: %s: %s\n", topic, oneLine(why))
	}
	if r.skipped > 0 {
		fmt.Fprintf(out, "left at the broker as --no-broker wants it: %s\n", several(r.skipped, "document"))
	}
	switch {
	case r.Export != "":
		fmt.Fprintf(out, "not delivered, and in %s: %s\n", r.Export, r.waiting())
	case r.Readings+r.Dead > 0 && len(r.Deleted) > 0:
		fmt.Fprintf(out, "not delivered, and discarded: %s\n", r.waiting())
	}
	for _, name := range r.Deleted {
		fmt.Fprintf(out, "deleted: %s\n", name)
	}
	if len(r.Left) == 0 {
		fmt.Fprintln(out, "next: sudo systemctl disable fieldgate")
	}
}
