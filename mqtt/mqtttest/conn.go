package mqtttest

import (
	"errors"
	"net"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A conn is the connection of one client.
type conn struct {
	broker *Broker
	nc     net.Conn
	number int
	wake   chan struct{} // bytes wait to be written, or nothing more will
	hung   chan struct{} // closed by hangUp

	// The broker's mu guards what follows.
	session        *session
	will           *will
	receiveMaximum int             // the client's
	unacked        map[uint16]bool // the client's QoS 1 and 2 messages that were not answered for good
	aliases        map[uint16]string
	waiting        *packet.Connect // accepted when its authentication is over
	method         string          // of authentication
	authenticating bool
	stuck          bool // no PUBACK, PUBREC and PUBCOMP is sent
	out            []byte
	last           bool // close when out is written
	bytes          int  // read
	recent         []arrival
}

// An arrival is a PUBLISH packet of the last second.
type arrival struct {
	at   time.Time
	size int
}

// errLeft is the end of a connection that the client asked for.
var errLeft = errors.New("client left")

// readAll reads and handles packets until the connection ends.
func (c *conn) readAll() error {
	var buf []byte
	chunk := make([]byte, 64<<10)
	for {
		m, err := c.nc.Read(chunk)
		if err != nil {
			return err
		}
		buf = append(buf, chunk[:m]...)
		c.broker.mu.Lock()
		buf, err = c.handleAllLocked(buf, m)
		deaf := c.broker.behavior.Deaf && c.session != nil
		c.broker.mu.Unlock()
		if err != nil {
			return err
		}
		if deaf {
			<-c.hung
		}
	}
}

// writeAll writes what was sent until the connection ends.
func (c *conn) writeAll() {
	for {
		select {
		case <-c.wake:
		case <-c.hung:
			return
		}
		c.broker.mu.Lock()
		out, last := c.out, c.last
		c.out = nil
		c.broker.mu.Unlock()
		if _, err := c.nc.Write(out); err != nil || last {
			c.nc.Close()
		}
	}
}

// hangUpLocked closes the connection without a word.
func (c *conn) hangUpLocked() {
	select {
	case <-c.hung:
	default:
		close(c.hung)
		c.nc.Close()
	}
}

// endLocked forgets the connection.
func (c *conn) endLocked() {
	c.hangUpLocked()
	delete(c.broker.conns, c)
	switch s, b := c.session, c.broker; {
	case s == nil:
	case s.conn == c && b.sessions[s.clientID] == s:
		s.conn = nil
		b.leftLocked(s, c.will)
	case c.will != nil && (b.sessions[s.clientID] != s || c.will.delay == 0): // the session has ended, or was taken over
		b.routeLocked(c, c.will.publish)
	}
}

// writeLocked sends bytes.
func (c *conn) writeLocked(raw []byte) {
	if c.last {
		return
	}
	c.out = append(c.out, raw...)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// sendLocked sends a packet.
func (c *conn) sendLocked(p packet.Packet) { c.writeLocked(p.Append(nil)) }

// leaveLocked sends a DISCONNECT and ends the connection.
func (c *conn) leaveLocked(p *packet.Disconnect) {
	c.sendLocked(p)
	c.last = true
}

// handleAllLocked handles the packets in b, to which the last m bytes are new, and returns the
// rest.
func (c *conn) handleAllLocked(b []byte, m int) ([]byte, error) {
	c.bytes += m
	if n := c.broker.behavior.CloseAfter; n > 0 && c.bytes >= n {
		if keep := len(b) - (c.bytes - n); keep >= 0 {
			b = b[:keep]
		}
		defer c.nc.Close()
	}
	for {
		h, size, err := packet.DecodeHeader(b)
		if err != nil {
			return nil, c.broker.violationLocked("%v", err)
		}
		if size == 0 || len(b) < size+h.Length {
			return b, nil
		}
		total := size + h.Length
		p, err := packet.Decode(h, b[size:total:total])
		if err != nil {
			return nil, c.broker.violationLocked("%v", err)
		}
		if limit := c.broker.behavior.Properties.MaximumPacketSize; limit > 0 && total > int(limit) && h.Type != packet.CONNECT {
			return nil, c.broker.violationLocked("%v of %d bytes, at most %d", h.Type, total, limit)
		}
		if err := c.handleLocked(h.Type, p); err != nil {
			return nil, err
		}
		b = b[total:]
	}
}

// cutLocked ends the connection because of what the client sent, with the behavior's DISCONNECT if
// it has a code.
func (c *conn) cutLocked() error {
	if code := c.broker.behavior.CloseCode; code != 0 {
		c.leaveLocked(&packet.Disconnect{Code: code})
		return nil
	}
	return errLeft
}
