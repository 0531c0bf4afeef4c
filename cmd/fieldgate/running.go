package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/doctor"
)

// askPatience is how long a gateway that runs may take to say so.
const askPatience = 2 * time.Second

// runningGateway returns the status of the gateway that runs with a configuration, or nil where none does: nobody is at the
// socket, and nobody has the store open. An error means that it may run: whoever gets it touches neither sensor nor broker.
func runningGateway(ctx context.Context, o *options, socket string, c *config.Config) (*control.Status, error) {
	if socket == "" {
		socket = controlSocket(c)
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	s, err := control.NewClient(socket).Status(ctx)
	if err == nil {
		return &s, nil
	}
	if !errors.Is(err, control.ErrNobody) {
		return nil, fmt.Errorf("whether the gateway runs is not known, so nothing was tried: %w", err)
	}
	store := storePath(c, stateDir(o))
	switch used, err := buffer.InUse(store); {
	case err != nil:
		return nil, fmt.Errorf("whether a gateway has the store open cannot be seen by this user, so nothing was tried: %w: %s", err, doctor.AsService)
	case used:
		return nil, fmt.Errorf("a gateway has the store %s open, and none answers at %s, so nothing was tried: name its socket with --socket, or stop it", store, socket)
	}
	return nil, nil
}

// stateDir is where the store is unless the configuration says otherwise.
func stateDir(o *options) string {
	if o.stateDir != "" {
		return o.stateDir
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	return defaultStateDir
}
