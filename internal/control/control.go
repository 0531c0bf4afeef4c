// Package control is the unix socket on which the commands `status`, `tail`, `queue` and `reload`
// ask the running gateway. The store has one owner, the gateway; nobody else opens it. The protocol
// is HTTP, so that curl --unix-socket works too: GET /status, GET /tail (JSON lines until the
// caller hangs up), POST /reload, GET /queue, GET /queue/export and GET /dead (JSON lines), POST
// /dead/retry and /dead/drop (with ?id=…, or ?all=1). Parameters that a path does not have are
// refused: what was misspelt must not mean something else.
//
// Who may connect is decided by the socket's file mode: owner and group.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/internal/bounded"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// Gateway is what the socket needs of the gateway.
type Gateway interface {
	Status() contract.LocalStatus
	// Tail calls line for every reading until ctx ends or line returns an error.
	Tail(ctx context.Context, line func(contract.Telemetry) error) error
	// Reload checks the configuration and, if it is right, starts over with it. It returns before
	// that.
	Reload() error
}

// lastAnswers is how long answers that are being given may take when the gateway ends.
const lastAnswers = time.Second

// Serve answers on a socket until ctx ends, and closes it.
func Serve(ctx context.Context, l net.Listener, g Gateway, q Queue, log *slog.Logger) error {
	mux := http.NewServeMux()
	handle(mux, "GET /status", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(g.Status()) })
	handle(mux, "GET /tail", func(w http.ResponseWriter, r *http.Request) {
		out := json.NewEncoder(w)
		flush := http.NewResponseController(w)
		_ = flush.Flush()
		_ = g.Tail(r.Context(), func(e contract.Telemetry) error {
			if err := errors.Join(bounded.Extend(w), out.Encode(e)); err != nil {
				return err
			}
			return flush.Flush()
		})
	})
	handle(mux, "POST /reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.Reload(); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	handleQueue(mux, q)
	s := bounded.Server(mux)
	s.BaseContext, s.ErrorLog = func(net.Listener) context.Context { return ctx }, slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		closing, cancel := context.WithTimeout(context.Background(), lastAnswers)
		defer cancel()
		_ = s.Shutdown(closing) // the answer to a reload that ends ctx is still to be written
		_ = s.Close()
	})
	err := s.Serve(bounded.Listener(l))
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// handle serves a path that has no parameters but those that are named.
func handle(mux *http.ServeMux, pattern string, serve http.HandlerFunc, parameters ...string) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, fmt.Sprintf("the parameters cannot be read: %v", err), http.StatusBadRequest)
			return
		}
		for name := range query {
			if !slices.Contains(parameters, name) {
				http.Error(w, fmt.Sprintf("%s has no parameter %q; it has %q", pattern, name, parameters), http.StatusBadRequest)
				return
			}
		}
		serve(w, r)
	})
}

// Listen opens the socket. One that a crash left behind is replaced; one that answers is not.
func Listen(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("control socket %s: another fieldgate answers there: stop it, or set control.socket", path)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("control socket %s: the file there is not a socket: move it away, or set control.socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket %s: replacing a stale one: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w (the directory must exist and be writable; control.socket names another place)", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// ErrNobody says that no gateway is at the socket. Any other error leaves open whether one runs.
var ErrNobody = errors.New("no fieldgate answers")

// groupOf returns the group that a file belongs to, or the directory above it that can be seen.
func groupOf(path string) string {
	for ; ; path = filepath.Dir(path) {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err == nil {
			id := strconv.FormatUint(uint64(st.Gid), 10)
			if g, err := user.LookupGroupId(id); err == nil {
				return g.Name
			}
			return id
		}
		if path == filepath.Dir(path) {
			return "fieldgate"
		}
	}
}

// A Client asks a running gateway.
type Client struct {
	path string
	http http.Client
}

// NewClient makes a client of the socket at path. It connects with the first question.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path, http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks for the state of the gateway.
func (c *Client) Status(ctx context.Context) (contract.LocalStatus, error) {
	var s contract.LocalStatus
	body, err := c.do(ctx, http.MethodGet, "/status")
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, json.NewDecoder(body).Decode(&s)
}

// Tail calls line for every reading that the gateway takes until ctx ends.
func (c *Client) Tail(ctx context.Context, line func(contract.Telemetry)) error {
	body, err := c.do(ctx, http.MethodGet, "/tail")
	if err != nil {
		return err
	}
	defer body.Close()
	in := json.NewDecoder(body)
	in.UseNumber()
	for {
		var e contract.Telemetry
		switch err := in.Decode(&e); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the gateway has ended")
		case err != nil:
			return err
		}
		line(e)
	}
}

// Reload makes the gateway read its configuration again.
func (c *Client) Reload(ctx context.Context) error {
	body, err := c.do(ctx, http.MethodPost, "/reload")
	if err != nil {
		return err
	}
	return body.Close()
}

func (c *Client) do(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://fieldgate"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w at %s: is it running? (systemctl status fieldgate; -c names another configuration, --socket another socket)", ErrNobody, c.path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("control socket %s: %w: use sudo, or join the group %q (sudo usermod -aG %s $USER, and log in again)", c.path, fs.ErrPermission, groupOf(c.path), groupOf(c.path))
	case err != nil:
		return nil, fmt.Errorf("control socket %s: %w", c.path, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}
