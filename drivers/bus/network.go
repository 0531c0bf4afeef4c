package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	dialTimeout = 5 * time.Second
	// a peer that acknowledges nothing for so long is gone: Linux would try for 15 minutes
	peerTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Second
)

// Connect returns the connection to a host and a TCP port, "192.168.1.20:502". All that ask for one
// share it, since many devices take a few connections only. The Port has a method Close.
func (h *Host) Connect(ctx context.Context, address string) (drivers.Port, error) {
	if p, err := h.connected(address, nil); p != nil || err != nil {
		return p, err
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: peerTimeout, Interval: peerTimeout / 3}, Control: setPeerTimeout}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, fmt.Errorf("no connection to %s: is the device on, in this network, and is this its port? %w", address, err)
	}
	return h.connected(address, &connection{conn: c, address: address, readTimeout: readTimeout})
}

func setPeerTimeout(_, _ string, c syscall.RawConn) error {
	return control(c, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(peerTimeout/time.Millisecond))
	})
}

// connected returns the connection that there is, else the new one. It is nil where both are.
func (h *Host) connected(address string, c *connection) (drivers.Port, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.network[address]
	switch {
	case h.closed:
		err := fmt.Errorf("%s: %w", address, os.ErrClosed)
		if c != nil {
			err = errors.Join(err, c.Close())
		}
		return nil, err
	case old != nil && !old.stream.isClosed():
		if c != nil { // another was faster
			if err := c.Close(); err != nil {
				return nil, err
			}
		}
		return h.lease(old), nil
	case c == nil:
		return nil, nil
	}
	h.network[address] = &line{stream: c, name: address}
	return h.lease(h.network[address]), nil
}

// A connection is a TCP connection as a stream.
type connection struct {
	conn        net.Conn
	address     string
	readTimeout time.Duration
	closed      atomic.Bool
}

// SetReadTimeout bounds the Reads that follow; with 0 they return what has already arrived.
func (c *connection) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: read timeout %v is negative", c.address, d)
	}
	c.readTimeout = d
	return nil
}

// Read returns at least one byte, or os.ErrDeadlineExceeded after the read timeout.
func (c *connection) Read(b []byte) (int, error) {
	// With a deadline in the past nothing would be read, also of what has arrived.
	err := c.conn.SetReadDeadline(time.Now().Add(max(c.readTimeout, time.Millisecond)))
	n := 0
	if err == nil {
		n, err = c.conn.Read(b)
	}
	if err != nil {
		return n, c.failed("read", err)
	}
	return n, nil
}

// Write sends b whole. A connection that does not take it is lost: part of it may be on its way.
func (c *connection) Write(b []byte) (int, error) {
	err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	n := 0
	if err == nil {
		n, err = c.conn.Write(b)
	}
	if err != nil {
		return n, c.lost("write", err)
	}
	return n, nil
}

// Close closes the connection. A second call does nothing.
func (c *connection) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

func (c *connection) isClosed() bool { return c.closed.Load() }

// failed returns an error with the address. All but a timeout mean that the connection is gone.
func (c *connection) failed(op string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return c.lost(op, err)
}

// lost closes the connection.
func (c *connection) lost(op string, err error) error {
	if c.isClosed() {
		return fmt.Errorf("%s: %s: %w", c.address, op, os.ErrClosed)
	}
	return &loss{fmt.Sprintf("the connection to %s was lost: %s: %v", c.address, op, err), errors.Join(err, c.Close())}
}
