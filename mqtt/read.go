package mqtt

import (
	"fmt"
	"io"
	"slices"
	"time"

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
		n.received(m)
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

func (n *conn) received(bytes int) {
	n.lastRead.Store(int64(n.now()))
	n.c.bytesIn.Add(uint64(bytes))
}

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

// fits returns an error where a packet is larger than the client takes, before memory is spent on
// it.
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
		n.received(m)
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

// handleLocked handles one packet.
func (n *conn) handleLocked(h packet.Header, body []byte) error {
	switch h.Type {
	case packet.PUBLISH:
		return n.handlePublishLocked(h, body)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		var p packet.PublishAck
		if err := p.Decode(h, body); err != nil {
			return err
		}
		if err := n.unwanted(h, &p.Properties); err != nil {
			return err
		}
		if h.Type == packet.PUBREL {
			n.handlePubrelLocked(p.ID)
			return nil
		}
		return n.handlePublishAckLocked(&p)
	case packet.SUBACK, packet.UNSUBACK:
		var p packet.Suback
		if err := p.Decode(h, body); err != nil {
			return err
		}
		if err := n.unwanted(h, &p.Properties); err != nil {
			return err
		}
		return n.handleSubackLocked(&p)
	case packet.PINGRESP:
		var p packet.Ping
		if err := p.Decode(h, body); err != nil {
			return err
		}
		n.pingSent, n.awaitingPing = 0, false
		n.wakeWriterLocked() // its alarm is for the answer, the next ping may be due before
		return nil
	case packet.AUTH:
		var p packet.Auth
		if err := p.Decode(h, body); err != nil {
			return err
		}
		if err := n.unwanted(h, &p.Properties); err != nil {
			return err
		}
		return n.handleAuthLocked(&p)
	case packet.DISCONNECT:
		var p packet.Disconnect
		if err := p.Decode(h, body); err != nil {
			return err
		}
		if p.Properties.Present.Has(packet.PropSessionExpiry) { // [MQTT-3.14.2-2]
			return violation("DISCONNECT with a session expiry interval")
		}
		return reasonError(packet.DISCONNECT, p.Code, &p.Properties)
	}
	return violation("%v from a broker", h.Type)
}

// unwanted returns an error where a packet, which is neither a PUBLISH nor a DISCONNECT, has what
// the client asked the broker to leave out [MQTT-3.1.2-29].
func (n *conn) unwanted(h packet.Header, p *packet.Properties) error {
	if n.c.cfg.NoProblemInformation && (p.Present.Has(packet.PropReasonString) || p.Present.Has(packet.PropUserProperty)) {
		return violation("%v with problem information, which was not asked for", h.Type)
	}
	return nil
}

// handlePublishLocked checks a PUBLISH against what the client allows and gives it to the inbox.
func (n *conn) handlePublishLocked(h packet.Header, body []byte) error {
	var p packet.Publish
	if err := p.Decode(h, body); err != nil {
		return err
	}
	if err := n.resolveAlias(&p); err != nil {
		return err
	}
	a := arrival{conn: n, id: p.ID, message: message(&p)}
	switch a.message.QoS {
	case AtLeastOnce:
		n.unacked1++
	case ExactlyOnce:
		if _, again := n.unacked2[p.ID]; again {
			// A repetition on the same connection, which MQTT 5.0 forbids: a PUBREC that is still
			// to come answers both.
			if !slices.ContainsFunc(n.held, func(r *receipt) bool { return r.id == p.ID && r.qos == ExactlyOnce }) {
				n.replyLocked(&packet.PublishAck{Type: packet.PUBREC, ID: p.ID})
			}
			return nil
		}
		n.unacked2[p.ID] = struct{}{}
	}
	if p.QoS > 0 {
		a.receipt = &receipt{conn: n, id: p.ID, qos: a.message.QoS, bytes: h.Length}
		n.heldBytes += h.Length
		n.held = append(n.held, a.receipt)
		if n.c.cfg.ManualAck {
			a.message.receipt = a.receipt
		}
		n.noteExcessLocked()
	}
	if a.response = n.c.responses.deliverLocked(a.message); !a.response || p.QoS > 0 {
		n.c.inbox.addLocked(a)
	}
	return nil
}

// resolveAlias learns the topic alias of p, or replaces it by its topic.
func (n *conn) resolveAlias(p *packet.Publish) error {
	alias, limit := p.Properties.TopicAlias, n.c.cfg.TopicAliasMaximum
	switch {
	case !p.Properties.Present.Has(packet.PropTopicAlias):
	case alias == 0 || alias > limit: // [MQTT-3.3.2-8] [MQTT-3.3.2-11]
		return &breach{packet.TopicAliasInvalid, fmt.Errorf("topic alias %d, at most %d", alias, limit)}
	case p.Topic == "":
		p.Topic = n.inAliases[alias]
	default:
		n.inAliases[alias] = p.Topic
	}
	if p.Topic == "" {
		return violation("PUBLISH without a topic")
	}
	return nil
}

// noteExcessLocked notes whether the broker has more messages in flight than it may [MQTT-3.3.4-9].
// The writer watches how long.
func (n *conn) noteExcessLocked() {
	switch {
	case n.unacked1+len(n.unacked2) <= int(n.c.cfg.ReceiveMaximum):
		n.excess = 0
	case n.excess == 0:
		n.excess = n.now()
		n.wakeWriterLocked()
	}
}

// handlePubrelLocked gives the release of an accepted message to the inbox. Others are answered at
// once, with success if it was answered before.
func (n *conn) handlePubrelLocked(id uint16) {
	releasing, accepted := n.c.session.received[id]
	switch {
	case !accepted:
		n.replyLocked(&packet.PublishAck{Type: packet.PUBCOMP, ID: id, Code: packet.PacketIdentifierNotFound})
	case !releasing:
		n.c.session.received[id] = true
		n.c.inbox.addLocked(arrival{conn: n, id: id})
	}
}

// handlePublishAckLocked notes the broker's answer to a PUBLISH or PUBREL.
func (n *conn) handlePublishAckLocked(p *packet.PublishAck) error {
	var x *exchange
	var v verdict
	switch p.Type {
	case packet.PUBACK:
		x, v = n.c.session.puback(p.ID)
	case packet.PUBREC:
		x, v = n.c.session.pubrec(p.ID, p.Code.Failed())
	case packet.PUBCOMP:
		x, v = n.c.session.pubcomp(p.ID)
	}
	switch v {
	case unknown: // late, or the broker's mistake: harmless
		if p.Type == packet.PUBREC {
			n.replyLocked(&packet.PublishAck{Type: packet.PUBREL, ID: p.ID, Code: packet.PacketIdentifierNotFound})
		}
		return nil
	case wrong:
		return violation("%v does not answer message %d", p.Type, p.ID)
	case released:
		n.c.journal.noteLocked(x, MessageReleased)
		n.replyLocked(&packet.PublishAck{Type: packet.PUBREL, ID: p.ID})
	case settled:
		ack := PublishResult{Code: p.Code, Reason: p.Properties.ReasonString, UserProperties: p.Properties.UserProperties}
		if p.Type == packet.PUBCOMP {
			ack.Code = packet.Success // 0x92 is not a failure: the broker has released it already
		}
		var err error
		if ack.Code.Failed() {
			err = reasonError(p.Type, p.Code, &p.Properties)
			n.lastRefusal = n.now()
		}
		n.progress = n.progress || err == nil
		n.c.settleLocked(x, ack, err)
		n.wakeWriterLocked() // there is room in the window
	}
	n.lastAck = time.Duration(n.lastRead.Load()) // the clock costs more than the rest of this
	return nil
}
