// Package bounded has what every HTTP server of the gateway needs so that its callers decide little
// of what it costs: few connections, none that is idle for long, small requests, and no answer that
// nobody takes.
package bounded

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 16
	maxBody        = 4 << 10
	maxHeader      = 16 << 10
	headerTimeout  = 5 * time.Second
	idleTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second // of an answer; of each part of one that calls Extend
)

// A Door is an address at which something is served.
type Door struct {
	Key, Addr string // of the configuration; nothing is served at ""
	Serve     func(ctx context.Context, l net.Listener) error
}

// Open listens at all doors, and returns what serves there, by key. After an error none is open.
func Open(doors ...Door) (map[string]func(context.Context) error, error) {
	serve := map[string]func(context.Context) error{}
	var open []net.Listener
	for _, d := range doors {
		if d.Addr == "" {
			continue
		}
		l, err := net.Listen("tcp", d.Addr)
		if err != nil {
			for _, l := range open {
				l.Close()
			}
			return nil, fmt.Errorf("%s: %w", d.Key, err)
		}
		open = append(open, l)
		serve[d.Key] = func(ctx context.Context) error { return d.Serve(ctx, l) }
	}
	return serve, nil
}

// Listener takes few connections at a time from l; others wait to be accepted.
func Listener(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }

// Server returns a server for requests to h.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: http.MaxBytesHandler(h, maxBody), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, IdleTimeout: idleTimeout, WriteTimeout: writeTimeout}
}

// Extend gives the next part of a long answer its own time.
func Extend(w http.ResponseWriter) error {
	return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
}
