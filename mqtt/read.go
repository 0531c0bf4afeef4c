package mqtt

import (
	"fmt"
	"io"
	"slices"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// readBuffer is the size of the buffer for received packets. Larger ones get memory of their own.
const readBuffer = 16 << 10

// read reads and handles packets until the connection ends. It never writes and calls no code of
// the user. Everything that one read brought is handled before the writer is woken, so that answers
// leave together.
func (n *conn) read() error {
	buf := make([]byte, readBuffer)
	filled := 0
	for {
		rest, err := n.handleAll(buf[:filled])
		if err != nil {
			return n.stopReading(err)
		}
		filled = copy(buf, rest)
		m, err := n.nc.Read(buf[filled:])
		if err != nil {
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			return fmt.Errorf("mqtt: reading: %w", err)
		}
		filled += m
		n.received()
	}
}

// stopReading ends reading because of err, in order if the reason is to be sent to the broker.
func (n *conn) stopReading(err error) error {
	code := leaveCode(err)
	if code == 0 {
		return err
	}
	n.c.mu.Lock()
	n.leaveLocked(code, err)
	n.c.mu.Unlock()
	<-n.dead // the writer sends the DISCONNECT
	return err
}

// received notes that something was read.
func (n *conn) received() { n.lastRead.Store(int64(n.now())) }

// handleAll handles the packets in b and returns what is left of it, less than one packet and less
// than readBuffer.
func (n *conn) handleAll(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return b, nil
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	for {
		h, size, err := packet.DecodeHeader(b)
		if err != nil || size == 0 {
			return b, err
		}
		if err := n.fits(h, size); err != nil {
			return nil, err
		}
		body := b[size:]
		switch {
		case len(body) >= h.Length:
			b = body[h.Length:]
			body = body[:h.Length:h.Length]
			if h.Type == packet.PUBLISH {
				body = slices.Clone(body) // it outlives the buffer
			}
		case size+h.Length <= readBuffer:
			return b, nil
		default:
			if body, err = n.readLargeLocked(body, h.Length); err != nil {
				return nil, err
			}
			b = nil
		}
		n.gotPacket = n.gotPacket || h.Type != packet.DISCONNECT
		if err := n.handleLocked(h, body); err != nil {
			return nil, err
		}
		if err := n.awaitSpaceLocked(); err != nil {
			return nil, err
		}
	}
}

// fits returns an error if a packet is larger than the client takes, before memory is spent on it.
func (n *conn) fits(h packet.Header, size int) error {
	if size+h.Length > int(n.c.cfg.MaximumPacketSize) {
		return &breach{packet.PacketTooLarge, fmt.Errorf("%v of %d bytes, at most %d", h.Type, size+h.Length, n.c.cfg.MaximumPacketSize)}
	}
	return nil
}

// readLargeLocked reads the rest of a body that begins with begin. It releases mu while it waits.
func (n *conn) readLargeLocked(begin []byte, length int) ([]byte, error) {
	n.c.mu.Unlock()
	defer n.c.mu.Lock()
	body := make([]byte, length)
	for filled := copy(body, begin); filled < length; {
		m, err := n.nc.Read(body[filled:])
		if err != nil {
			return nil, fmt.Errorf("mqtt: reading: %w", err)
		}
		filled += m
		n.received()
	}
	return body, nil
}

// awaitSpaceLocked waits while too many answers wait to be written, or more messages for the
// handler than the Receive Maximum: a broker that sends without reading, or too much, must not fill
// the memory. It releases mu while it waits.
func (n *conn) awaitSpaceLocked() error {
	for len(n.control) > maxControl || len(n.held) > int(n.c.cfg.ReceiveMaximum) || n.fullLocked() {
		n.c.mu.Unlock()
		select {
		case <-n.readerWake:
		case <-n.dead:
		}
		n.c.mu.Lock()
		if n.err != nil {
			return n.err
		}
	}
	return nil
}

// fullLocked reports whether the messages that wait for the handler take so much memory that no
// more are read.
func (n *conn) fullLocked() bool { return n.heldBytes > heldPackets*int(n.c.cfg.MaximumPacketSize) }
