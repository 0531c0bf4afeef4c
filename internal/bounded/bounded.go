// Package bounded has what every HTTP server of the gateway needs so that its callers decide little
// of what it costs: few connections, none that is idle for long, small requests, and no answer that
// nobody takes.
package bounded

import (
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
