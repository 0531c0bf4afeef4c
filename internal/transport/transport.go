// Package transport makes the connections to the broker that a configuration describes: TCP, TLS
// with ALPN, WebSocket and unix sockets, directly or through a proxy, also while the names cannot
// be looked up. The gateway, doctor and verify use the same one. It knows nothing of MQTT packets.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/http/httpproxy"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/ws"
)

// Config is what a Dialer is made of.
type Config struct {
	MQTT config.MQTT
	// Protocols returns what to offer by ALPN; nil: nothing.
	Protocols func(broker *url.URL) []string
	// Store keeps the addresses of names; nil: they are in memory.
	Store    Store
	Resolver *net.Resolver // nil: the system's
	Log      *slog.Logger
}

// A Dialer is made by New. Its methods may be called from any goroutine.
type Dialer struct {
	cfg         Config
	environment func(*url.URL) (*url.URL, error) // its proxy for a URL of http or https
	names       *names
}

// New makes a Dialer. The environment's proxies are those of now.
func New(c Config) *Dialer {
	d := &Dialer{cfg: c, environment: httpproxy.FromEnvironment().ProxyFunc()}
	d.names = newNames(c, d.hosts())
	return d
}

// Dial connects to a broker. It fits mqtt.Config.Dial.
func (d *Dialer) Dial(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error) {
	if d.cfg.Protocols != nil {
		if protocols := d.cfg.Protocols(u); len(protocols) > 0 {
			if cfg == nil {
				cfg = new(tls.Config)
			}
			cfg = cfg.Clone()
			cfg.NextProtos = protocols
		}
	}
	return ws.Dialer{Stream: mqtt.Dialer{Proxy: d.proxy, Connect: d.names.connect}}.Dial(ctx, u, cfg)
}

// Proxy returns the proxy through which a broker is reached, without its password, "" if there is
// none.
func (d *Dialer) Proxy(broker string) string {
	u, err := url.Parse(broker)
	if err != nil || u.Scheme == "unix" {
		return ""
	}
	via, err := d.route(u)
	if err != nil || via == nil {
		return ""
	}
	return via.Redacted()
}

// HTTPProxy returns the proxy for a request over HTTPS that is not for the broker: the broker's, or
// the environment's. It fits http.Transport.Proxy.
func (d *Dialer) HTTPProxy(r *http.Request) (*url.URL, error) { return d.proxy(r.URL) }

// proxy returns the proxy for a broker with the user and the password of the configuration.
func (d *Dialer) proxy(broker *url.URL) (*url.URL, error) {
	via, err := d.route(broker)
	if err != nil || via == nil || d.cfg.MQTT.ProxyUsername == "" {
		return via, err
	}
	password, err := credential.ProxyPassword(d.cfg.MQTT)
	if err != nil {
		return nil, err
	}
	via.User = url.UserPassword(d.cfg.MQTT.ProxyUsername, password)
	return via, nil
}

// seenAs is what the variables of the environment take a URL for, and its default port,
// since NO_PROXY may name one.
var seenAs = map[string]struct{ scheme, port string }{
	"mqtt": {"http", "1883"}, "ws": {"http", "80"}, "mqtts": {"https", "8883"}, "wss": {"https", "443"}, "https": {"https", "443"},
}

// route returns the proxy of the configuration, or the environment's.
func (d *Dialer) route(broker *url.URL) (*url.URL, error) {
	switch d.cfg.MQTT.Proxy {
	case config.NoProxy:
		return nil, nil
	case "":
		as := seenAs[broker.Scheme]
		via, err := d.environment(&url.URL{Scheme: as.scheme, Host: net.JoinHostPort(broker.Hostname(), cmp.Or(broker.Port(), as.port))})
		if err != nil {
			return nil, fmt.Errorf("the environment's: %w", err)
		}
		if via != nil && via.Scheme == "socks5h" { // the proxy always looks up the name
			via.Scheme = "socks5"
		}
		return via, nil
	}
	return url.Parse(d.cfg.MQTT.Proxy)
}

// hosts returns the names that may have to be looked up.
func (d *Dialer) hosts() (list []string) {
	for _, s := range d.cfg.MQTT.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Scheme == "unix" {
			continue
		}
		if via, err := d.route(u); err == nil && via != nil {
			u = via
		}
		if net.ParseIP(u.Hostname()) == nil {
			list = append(list, u.Hostname())
		}
	}
	return list
}
