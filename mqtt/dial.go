package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// parseURL checks the URL of a broker. A custom Dial may know other schemes.
func parseURL(s string, custom bool) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("broker URL: %w", err)
	}
	u.User = nil
	switch u.Scheme {
	case "mqtt", "mqtts":
		if u.Hostname() == "" {
			return nil, fmt.Errorf("broker URL %q has no host", u)
		}
	case "unix":
		if u.Path == "" {
			return nil, fmt.Errorf("broker URL %q has no path: want unix:///path", u)
		}
	default:
		if !custom || u.Scheme == "" {
			return nil, fmt.Errorf("broker URL %q: want mqtt://, mqtts:// or unix://", u)
		}
	}
	return u, nil
}

// shownURL returns a URL for logs and events. What a query says is left out: it is where a token
// for a WebSocket stands.
func shownURL(u *url.URL) string {
	if u.RawQuery == "" {
		return u.String()
	}
	plain := *u
	plain.RawQuery = "(hidden)"
	return plain.String()
}

// A Dialer opens the built-in transports: TCP (mqtt), TLS (mqtts) and unix sockets (unix). Its
// method Dial can be used as Config.Dial. The zero value is the default and uses no proxy, whatever
// the environment says.
type Dialer struct {
	// Proxy returns the proxy through which to reach a broker: http://host:3128 (CONNECT) or
	// socks5://host:1080, with user information if the proxy requires it. Nil, or a nil result,
	// means no proxy.
	Proxy func(broker *url.URL) (*url.URL, error)
	// Connect opens the TCP connection to the broker, or to the proxy. Nil means
	// net.Dialer.DialContext.
	Connect func(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial connects to u; the default ports are 1883 for mqtt and 8883 for mqtts. TLS is version 1.2 at
// least. The server name is that of u, unless cfg has one. cfg may be nil and is not modified. If
// it has NextProtos (ALPN), a broker that chooses none of them is refused: ErrALPN.
func (d Dialer) Dial(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error) {
	switch u.Scheme {
	case "unix":
		nc, err := new(net.Dialer).DialContext(ctx, "unix", u.Path)
		if err != nil {
			return nil, err
		}
		return metered(ctx, nc), nil
	case "mqtt":
		return d.dialTCP(ctx, u, "1883")
	case "mqtts":
		raw, err := d.dialTCP(ctx, u, "8883")
		if err != nil {
			return nil, err
		}
		return secure(ctx, raw, u.Hostname(), cfg)
	}
	return nil, fmt.Errorf("transport %q is not built in: want mqtt, mqtts or unix", u.Scheme)
}

// dialTCP connects to the host of u, through the proxy if there is one.
func (d Dialer) dialTCP(ctx context.Context, u *url.URL, defaultPort string) (net.Conn, error) {
	address := hostPort(u, defaultPort)
	var via *url.URL
	if d.Proxy != nil {
		var err error
		if via, err = d.Proxy(u); err != nil {
			return nil, fmt.Errorf("proxy for %v: %w", u, err)
		}
	}
	if via == nil {
		return d.connect(ctx, address)
	}
	open := proxies[via.Scheme]
	if open.handshake == nil {
		return nil, &ProxyError{Proxy: via.Redacted(), Err: errors.New("want http:// or socks5://")}
	}
	nc, err := d.connect(ctx, hostPort(via, open.port))
	if err != nil {
		return nil, &ProxyError{Proxy: via.Redacted(), Err: err}
	}
	release := context.AfterFunc(ctx, func() { nc.Close() })
	err = open.handshake(nc, address, via.User)
	if !release() {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, &ProxyError{Proxy: via.Redacted(), Err: err}
	}
	return nc, nil
}

// connect opens a TCP connection.
func (d Dialer) connect(ctx context.Context, address string) (net.Conn, error) {
	open := d.Connect
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	nc, err := open(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	limitUnacknowledged(nc)
	return withProgress(metered(ctx, nc)), nil
}

func hostPort(u *url.URL, defaultPort string) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort))
}

// secure begins TLS on raw. It closes raw if that fails.
func secure(ctx context.Context, raw net.Conn, host string, cfg *tls.Config) (net.Conn, error) {
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.DynamicRecordSizingDisabled = true // one record for one flush
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	// TLS does not survive a timeout in the middle of a record, so progress is watched below it.
	conn := tls.Client(withProgress(raw), cfg)
	err := conn.HandshakeContext(ctx)
	switch {
	case len(cfg.NextProtos) == 0:
	case err == nil && conn.ConnectionState().NegotiatedProtocol == "":
		err = fmt.Errorf("%w: %q", ErrALPN, cfg.NextProtos)
	case err != nil && refusesALPN(err.Error()):
		err = fmt.Errorf("%w: %q: %w", ErrALPN, cfg.NextProtos, err)
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", cfg.ServerName, err)
	}
	return conn, nil
}

// refusesALPN reports whether a handshake failed because of ALPN: the broker answers with an alert
// (RFC 7301, 3.2) or with a protocol that was not offered. Package crypto/tls has no type for
// either.
func refusesALPN(text string) bool {
	return strings.Contains(text, "no application protocol") || strings.Contains(text, "unadvertised ALPN protocol")
}

// writeTimeout is how long a write may move no byte at all.
const writeTimeout = 20 * time.Second

// A progressConn gives up a write when no byte moved for writeTimeout, however long it takes as a
// whole, so that a slow link is not mistaken for a dead one.
type progressConn struct{ net.Conn }

func withProgress(nc net.Conn) net.Conn {
	if _, ok := nc.(*progressConn); ok || nc == nil {
		return nc
	}
	return &progressConn{nc}
}

func (p *progressConn) Write(b []byte) (n int, err error) {
	for {
		if err := p.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return n, err
		}
		m, err := p.Conn.Write(b[n:])
		n += m
		if err == nil || m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// CloseWrite closes the direction of writing, if the transport can.
func (p *progressConn) CloseWrite() error { return closeWrite(p.Conn) }
