package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/launch"
	"github.com/spf13/cobra"
)

const (
	reloadWait  = 30 * time.Second // for the gateway to stop in order and to start again
	reloadEvery = 100 * time.Millisecond
)

func reloadCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "reload", Short: "Reload the configuration of the running gateway",
		Long: "Reload makes the running gateway check its configuration. If it is right, the gateway stops in order and starts with it at once,\n" +
			"in the same process, and reload waits until it works again; if it is wrong, the mistakes are printed and nothing changes.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := o.load(); err != nil {
				return usageError{err}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), reloadWait)
			defer cancel()
			client := dial(o, socket, cmd.ErrOrStderr())
			before, err := client.Status(ctx)
			if err != nil {
				return err
			}
			if err := client.Reload(ctx); err != nil {
				return err
			}
			// Its socket may be another one now.
			now, err := started(ctx, before.Health.Run, client, dial(o, socket, io.Discard))
			if err != nil {
				return err
			}
			if now.Config != launch.Current {
				return fmt.Errorf("the gateway came back with the last configuration that worked:\n%s", strings.Join(now.Problem, "\n"))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Gateway string `json:"gateway"`
					Run     string `json:"run"`
					Sensors int    `json:"sensors"`
				}{now.Gateway, now.Health.Run, len(now.Health.Sensors)})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "reloaded: gateway %s works again, with %s (run %s)\n", now.Gateway, several(len(now.Health.Sensors), "sensor"), now.Health.Run)
			return nil
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// started waits until a gateway with another run answers.
func started(ctx context.Context, run string, clients ...*control.Client) (contract.LocalStatus, error) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	last := errors.New("the old one still answers")
	for {
		for _, c := range clients {
			s, err := c.Status(ctx)
			if err == nil && s.Health.Run != run {
				return s, nil
			}
			if err != nil && ctx.Err() == nil {
				last = err
			}
		}
		select {
		case <-ctx.Done():
			return contract.LocalStatus{}, fmt.Errorf("the gateway accepted the configuration and is not back after %v: %w", reloadWait, last)
		case <-ticker.C:
		}
	}
}
