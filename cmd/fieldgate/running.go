package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/doctor"
)

// askPatience is how long a gateway that runs may take to say so.
const askPatience = 2 * time.Second

// dial makes a client of the running gateway. If several run, it says on out which of them it is.
func dial(o *options, socket string, out io.Writer) *control.Client {
	if socket != "" {
		return control.NewClient(socket)
	}
	c, err := o.load()
	if err != nil {
		c = &config.Config{} // the gateway may run on its last good one
	}
	path, another := chooseSocket(sockets(c), connect)
	if another != "" {
		fmt.Fprintf(out, "Several gateways run on this machine: this is the one at %s; another is at %s (--socket chooses).\n", path, another)
	}
	return control.NewClient(path)
}

// chooseSocket returns the first of the candidates at which a gateway answers, and another at which
// one does as well, or "". If none answers it is the first that this user may not ask, else the one
// that is missed: where a directory was made for it.
func chooseSocket(candidates []string, connect func(path string) error) (path, another string) {
	var answering, closed []string
	for _, c := range candidates {
		switch err := connect(c); {
		case err == nil:
			answering = append(answering, c)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED):
			closed = append(closed, c)
		}
	}
	switch {
	case len(answering) > 1:
		return answering[0], answering[1]
	case len(answering) == 1:
		return answering[0], ""
	case len(closed) > 0:
		return closed[0], ""
	}
	i := slices.IndexFunc(candidates, func(path string) bool { _, err := os.Stat(filepath.Dir(path)); return err == nil })
	return candidates[max(i, 0)], ""
}

// sockets returns where a gateway with this configuration may listen, the most likely first.
func sockets(c *config.Config) (paths []string) {
	for _, p := range config.ThisProcess().Running() {
		if path := p.Socket(c); !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// connect tries whether somebody listens at a socket.
func connect(path string) error {
	c, err := net.DialTimeout("unix", path, askPatience)
	if err != nil {
		return err
	}
	return c.Close()
}

// runningGateway returns the status of the gateway that runs with a configuration, or nil if none
// does: nobody is at the socket, and nobody has the store open. An error means that it may run: a
// caller that gets it touches neither sensor nor broker.
func runningGateway(ctx context.Context, o *options, socket string, c *config.Config) (*contract.LocalStatus, error) {
	candidates := sockets(c)
	if socket != "" {
		candidates = []string{socket}
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for _, path := range candidates {
		s, err := control.NewClient(path).Status(ctx)
		if err == nil {
			return &s, nil
		}
		if !errors.Is(err, control.ErrNobody) {
			return nil, fmt.Errorf("cannot find out whether the gateway runs, so nothing was tried: %w", err)
		}
	}
	store := storeInUse(o, c)
	switch used, err := buffer.InUse(store); {
	case err != nil:
		return nil, fmt.Errorf("this user cannot find out whether a gateway has the store open, so nothing was tried: %w: %s", err, doctor.AsService)
	case used:
		return nil, fmt.Errorf("a gateway has the store %s open, but none answers at %s, so nothing was tried: name its socket with --socket, or stop it", store, candidates[0])
	}
	return nil, nil
}

// storeInUse returns the store that a gateway with this configuration uses: the first that there is
// of the places where one may run.
func storeInUse(o *options, c *config.Config) string {
	places := config.ThisProcess().Running()
	if o.stateDir != "" {
		return config.Places{State: o.stateDir}.Store(c)
	}
	for _, p := range places {
		if _, err := os.Stat(p.State); err == nil {
			return p.Store(c)
		}
	}
	return places[0].Store(c)
}

// places returns where a gateway that is started here has its directories.
func (o *options) places() (config.Places, error) {
	p, err := config.ThisProcess().Places()
	if o.stateDir != "" {
		p.State = o.stateDir
		p.Runtime = cmp.Or(p.Runtime, p.State)
		return p, nil
	}
	if err != nil {
		return p, usageError{err}
	}
	return p, nil
}
