package mqtt

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// A meter counts the bytes of a client's connections. The client hands it to Config.Dial in the
// context, so that the built-in transports count at the socket, below TLS, WebSocket and the
// exchange with a proxy, and also what failed attempts send and receive.
type meter struct{ in, out atomic.Uint64 }

// An attemptMeter is a meter for one call of Config.Dial.
type attemptMeter struct {
	*meter
	atSocket atomic.Bool // a built-in transport counts
}

type meterKey struct{}

// metered has nc counted by the meter in ctx, if there is one.
func metered(ctx context.Context, nc net.Conn) net.Conn {
	m, ok := ctx.Value(meterKey{}).(*attemptMeter)
	if !ok {
		return nc
	}
	m.atSocket.Store(true)
	return &meteredConn{nc, m.meter}
}

// A meteredConn counts what is read and written.
type meteredConn struct {
	net.Conn
	meter *meter
}

func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.in.Add(uint64(max(n, 0)))
	return n, err
}

func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.out.Add(uint64(max(n, 0)))
	return n, err
}

// CloseWrite closes the direction of writing, if the transport can.
func (c *meteredConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(nc net.Conn) error {
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
