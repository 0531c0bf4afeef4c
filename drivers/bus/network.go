package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	dialTimeout   = 5 * time.Second
	redialTimeout = 2 * time.Second
	// a peer that acknowledges nothing for so long is gone: Linux would try for 15 minutes
	peerTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Second
	maxRequest   = 4 << 10 // bytes of a Write that can be sent once more
)

// connect returns a lease of the connection to an address of a network, "tcp" or "unix". It can be
// shared, since many devices take a few connections only.
func (h *Host) connect(ctx context.Context, network, name, address string, mode drivers.SerialMode) (drivers.Port, error) {
	if p, err := h.connected(name, mode, nil); p != nil || err != nil {
		return p, err
	}
	c := newConnection(network, name, address, mode.ConnectDelay)
	conn, err := c.dial(ctx, dialTimeout)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.conn = conn
	return h.connected(name, mode, c)
}

// connected returns a lease of the connection that there is, else of the new one. It is nil if both
// are.
func (h *Host) connected(name string, mode drivers.SerialMode, c *connection) (drivers.Port, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var p drivers.Port
	err := fmt.Errorf("%s: %w", name, os.ErrClosed)
	place := ""
	if !h.closed {
		place = h.placeLocked(name, mode)
		p, err = h.openLineLocked(place, name, mode)
	}
	switch {
	case c == nil:
		return p, err
	case p != nil || err != nil: // another was faster
		return p, errors.Join(err, c.Close())
	}
	return h.leaseLocked(h.enterLocked(place, name, mode, c)), nil
}

// A connection is a network connection as a stream, which opens itself again for what is asked for.
// Close may be called at any time; the rest is for one caller at a time.
type connection struct {
	network, name, address string
	delay                  time.Duration // of the first byte sent, from the opening
	readTimeout            time.Duration
	asked                  []byte // the last Write, until a byte has come since

	life context.Context // ends with Close
	end  context.CancelFunc

	mu   sync.Mutex
	conn net.Conn // nil: the next Write dials
}

func newConnection(network, name, address string, delay time.Duration) *connection {
	c := &connection{network: network, name: name, address: address, delay: delay, readTimeout: readTimeout}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// dial opens a connection and lets the delay pass.
func (c *connection) dial(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: peerTimeout, Interval: peerTimeout / 3}}
	if c.network == "tcp" {
		d.Control = setPeerTimeout
	}
	conn, err := d.DialContext(ctx, c.network, c.address)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("connecting to %s: %w: %w", c.name, ctx.Err(), err)
	case err != nil && c.network == "unix":
		return nil, fmt.Errorf("no connection to %s: does the service run that has this socket, and may this user open it? %w", c.name, err)
	case err != nil:
		return nil, fmt.Errorf("no connection to %s: is the device on, in this network, and is this its port? %w", c.name, err)
	}
	if err := drivers.Wait(ctx, c.delay); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func setPeerTimeout(_, _ string, c syscall.RawConn) error {
	return control(c, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(peerTimeout/time.Millisecond))
	})
}

// SetReadTimeout bounds the Reads that follow; with 0 they return what has already arrived.
func (c *connection) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: read timeout %v is negative", c.name, d)
	}
	c.readTimeout = d
	return nil
}

// Read returns at least one byte, or os.ErrDeadlineExceeded after the read timeout. With a timeout
// of 0, a connection that has ended is one from which nothing has arrived.
func (c *connection) Read(b []byte) (int, error) {
	// With a deadline in the past nothing would be read, also of what has arrived.
	deadline := time.Now().Add(max(c.readTimeout, time.Millisecond))
	for {
		n, err := c.readUntil(deadline, b)
		switch {
		case err == nil:
			c.asked = c.asked[:0]
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return n, os.ErrDeadlineExceeded
		case c.isClosed():
			return n, c.lost("read", err)
		case c.readTimeout == 0:
			if err := c.hangUp(); err != nil {
				return 0, c.lost("read", err)
			}
			return 0, os.ErrDeadlineExceeded
		case len(c.asked) == 0:
			return n, c.lost("read", err)
		}
		again := c.asked
		c.asked = nil // once
		if err := c.redial(err); err != nil {
			return 0, c.lost("read", err)
		}
		if _, err := c.send(again); err != nil {
			return 0, c.lost("write", err)
		}
	}
}

var errHungUp = errors.New("the connection has ended")

func (c *connection) readUntil(deadline time.Time, b []byte) (int, error) {
	conn := c.current()
	if conn == nil {
		return 0, errHungUp
	}
	if err := conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	return conn.Read(b)
}

// Write sends b whole, on a new connection if there is none or it turns out to have ended. A
// connection that does not take it is lost: part of it may be on its way.
func (c *connection) Write(b []byte) (int, error) {
	n, err := c.send(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !c.isClosed() {
		if err = c.redial(err); err == nil {
			n, err = c.send(b)
		}
	}
	if err != nil {
		return n, c.lost("write", err)
	}
	c.asked = c.asked[:0]
	if len(b) <= maxRequest {
		c.asked = append(c.asked, b...)
	}
	return n, nil
}

func (c *connection) send(b []byte) (int, error) {
	conn := c.current()
	if conn == nil {
		return 0, errHungUp
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return conn.Write(b)
}

// redial opens the connection again after an error.
func (c *connection) redial(cause error) error {
	if err := c.hangUp(); err != nil {
		return errors.Join(cause, err)
	}
	conn, err := c.dial(c.life, redialTimeout)
	if err != nil {
		return fmt.Errorf("%w; then %w", cause, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return errors.Join(os.ErrClosed, conn.Close())
	}
	c.conn = conn
	return nil
}

// hangUp ends the connection until the next Write.
func (c *connection) hangUp() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.conn
	c.conn = nil
	if conn == nil {
		return nil
	}
	return conn.Close()
}

func (c *connection) current() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// Close closes the connection. A second call does nothing.
func (c *connection) Close() error {
	c.end()
	return c.hangUp()
}

func (c *connection) isClosed() bool { return c.life.Err() != nil }

// lost closes the connection and returns an error that says so.
func (c *connection) lost(op string, err error) error {
	if c.isClosed() {
		return fmt.Errorf("%s: %s: %w", c.name, op, os.ErrClosed)
	}
	return &loss{fmt.Sprintf("the connection to %s was lost: %s: %v", c.name, op, err), errors.Join(err, c.Close())}
}
