package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fieldgate/fieldgate/mqtt"
)

// subprotocol is the one of MQTT [MQTT-6.0.0-3].
const subprotocol = "mqtt"

// writeBuffer is the largest frame, in bytes: one for what the client writes at a time, and the
// header.
const writeBuffer = 16<<10 + 16

// A Dialer connects by WebSocket. The zero value is ready to use.
type Dialer struct {
	// Stream opens the TCP or TLS connection below the WebSocket, through its proxy if it has one.
	// It also opens the URLs with schemes other than ws and wss.
	Stream mqtt.Dialer
	// Header is called before every attempt with ws or wss. It returns further headers for the HTTP
	// request, such as tokens. Nil means none.
	Header func(ctx context.Context) (http.Header, error)
}

// Dial connects to u: ws://host:80/path, or wss://host:443/path with TLS. Ports may be omitted. cfg
// is as in mqtt.Dialer.Dial, to which URLs with other schemes are handed, so Dial fits
// mqtt.Config.Dial even if the URLs are mixed.
func (d Dialer) Dial(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error) {
	below, encrypted := *u, u.Scheme == "wss"
	switch u.Scheme {
	case "ws":
		below.Scheme = "mqtt"
	case "wss":
		below.Scheme = "mqtts"
	default:
		return d.Stream.Dial(ctx, u, cfg)
	}
	if u.Port() == "" {
		below.Host = net.JoinHostPort(u.Hostname(), map[bool]string{false: "80", true: "443"}[encrypted])
	}
	var header http.Header
	if d.Header != nil {
		var err error
		if header, err = d.Header(ctx); err != nil {
			return nil, fmt.Errorf("WebSocket headers: %w", err)
		}
	}
	release := func() bool { return true }
	stream := func(context.Context, string, string) (net.Conn, error) {
		nc, err := d.Stream.Dial(ctx, &below, cfg)
		if err == nil { // the handshake knows the deadline of ctx only, not its end
			release = context.AfterFunc(ctx, func() { nc.Close() })
		}
		return nc, err
	}
	upgrade := websocket.Dialer{
		Subprotocols: []string{subprotocol}, NetDialContext: stream, NetDialTLSContext: stream, WriteBufferSize: writeBuffer,
	}
	c, response, err := upgrade.DialContext(ctx, u.String(), header)
	if !release() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
			return nil, fmt.Errorf("WebSocket handshake: the server answers %s", response.Status)
		}
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	if c.Subprotocol() != subprotocol { // [MQTT-6.0.0-4]
		c.Close()
		return nil, fmt.Errorf("WebSocket handshake: the server chose the sub-protocol %q instead of %q", c.Subprotocol(), subprotocol)
	}
	return &conn{Conn: c}, nil
}

// A conn makes a byte stream of the binary frames of a WebSocket: packets may span frames, and
// frames packets [MQTT-6.0.0-2].
type conn struct {
	*websocket.Conn
	frame io.Reader // the rest of the current message, nil between messages
}

// Read reads from the current message, or the next one.
func (c *conn) Read(b []byte) (int, error) {
	for {
		if c.frame == nil {
			kind, frame, err := c.NextReader()
			if err != nil {
				return 0, ended(err)
			}
			if kind != websocket.BinaryMessage { // [MQTT-6.0.0-1]
				_ = c.goodbye(websocket.CloseUnsupportedData)
				return 0, errors.New("the broker sent a WebSocket frame that is not binary")
			}
			c.frame = frame
		}
		n, err := c.frame.Read(b)
		if err == io.EOF {
			c.frame, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, ended(err)
		}
	}
}

// ended makes io.EOF of an orderly end.
func ended(err error) error {
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived) {
		return io.EOF
	}
	return err
}

// Write writes b as one binary message.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite announces the end; the broker answers by closing.
func (c *conn) CloseWrite() error { return c.goodbye(websocket.CloseNormalClosure) }

func (c *conn) goodbye(code int) error {
	return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
}
