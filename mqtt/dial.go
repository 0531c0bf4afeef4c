package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
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

// dial is the built-in Config.Dial.
func dial(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error) {
	var d net.Dialer
	if u.Scheme == "unix" {
		return d.DialContext(ctx, "unix", u.Path)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme]
	}
	d.Control = limitUnacknowledged
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme == "mqtt" {
		return raw, err
	}
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.DynamicRecordSizingDisabled = true // one record for one flush
	if cfg.ServerName == "" {
		cfg.ServerName = u.Hostname()
	}
	// TLS does not survive a timeout in the middle of a record, so progress is watched below it.
	conn := tls.Client(&progressConn{Conn: raw}, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", cfg.ServerName, err)
	}
	return conn, nil
}

// writeTimeout is how long a write may move no byte at all.
const writeTimeout = 20 * time.Second

// A progressConn gives up a write when no byte moved for writeTimeout, however long it takes as a whole, so
// that a slow link is not mistaken for a dead one.
type progressConn struct{ net.Conn }

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

// CloseWrite closes the direction of writing, where the transport can.
func (p *progressConn) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
