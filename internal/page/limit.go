package page

import (
	"log/slog"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// sendBuffer is how much the kernel keeps of what a viewer has not taken yet, in bytes. By itself
// it would let that grow to megabytes.
const sendBuffer = 64 << 10

// A limit is a listener that closes connections at once if there are enough. Whoever opens many
// takes no place in a row from others.
type limit struct {
	net.Listener
	most int
	log  *slog.Logger

	mu   sync.Mutex
	open int
	full bool // and that was logged
}

// Accept implements net.Listener.
func (l *limit) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.enter() {
			drop(c)
			return &limited{Conn: c, limit: l}, nil
		}
		c.Close()
	}
}

// drop has the kernel end a connection whose other side does not take what it is sent, such as a
// phone that has left the WLAN. Without that a viewer who is gone would keep its place until
// sendBuffer is full, or TCP gives up after a quarter of an hour.
func drop(c net.Conn) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	_ = t.SetWriteBuffer(sendBuffer)
	raw, err := t.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(viewerTakes.Milliseconds()))
	})
}

func (l *limit) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == l.most {
		if !l.full {
			l.full = true
			l.log.Warn("status page: too many connections: more are refused", "open", l.open)
		}
		return false
	}
	l.open++
	return true
}

func (l *limit) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.open <= l.most/2 {
		l.full = false
	}
}

// limited is a connection that counts.
type limited struct {
	net.Conn
	limit *limit
	once  sync.Once
}

// Close implements net.Conn.
func (c *limited) Close() error {
	c.once.Do(c.limit.leave)
	return c.Conn.Close()
}
