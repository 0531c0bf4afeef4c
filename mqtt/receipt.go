package mqtt

import (
	"context"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A receipt is a received QoS 1 or 2 message whose PUBACK or PUBREC was not sent. Each connection
// has them in the order of arrival, in which they are answered whatever the order in which messages
// are accepted [MQTT-4.6.0-2] [MQTT-4.6.0-3].
type receipt struct {
	conn     *conn
	id       uint16
	qos      QoS
	bytes    int  // of the packet
	accepted bool // Client.mu: nothing but the order holds it back
}

// Ack acknowledges a message that was received with Config.ManualAck. It may be called in any
// order, from any goroutine, and before the handler returns. The acknowledgements are sent in the
// order in which the messages arrived, so a missing one holds back those of later messages. For a
// QoS 2 message, nil means that the session store has durably recorded the message, so that it will
// not be delivered again.
//
// ErrAckTooLate means that the connection on which the message arrived has ended: nothing was
// acknowledged, and the broker delivers the message again. An error of the session store ends the
// connection, with the same result. Ack does nothing and returns nil if there is nothing to
// acknowledge: for QoS 0, for a message that was acknowledged before, and without Config.ManualAck.
func (m *Message) Ack() error {
	r := m.receipt
	if r == nil {
		return nil
	}
	b := &r.conn.c.inbox
	err := b.accept(context.Background(), r)
	if err != nil && err != ErrAckTooLate {
		b.c.mu.Lock()
		r.conn.leaveLocked(packet.ImplementationSpecificError, err)
		b.c.mu.Unlock()
	}
	return err
}

// accept notes that the message of r was accepted, durably if it has QoS 2, and lets its
// acknowledgement follow.
func (b *inbox) accept(ctx context.Context, r *receipt) error {
	c := b.c
	c.mu.Lock()
	switch {
	case r.accepted:
		c.mu.Unlock()
		return nil
	case c.cfg.ManualAck && r.conn != c.conn:
		// The message may have come again, and even its identifier may belong to another one by
		// now.
		c.mu.Unlock()
		return ErrAckTooLate
	case r.qos == ExactlyOnce && r.conn.epoch == c.epoch:
		// A handler may outlast its connection: then its acceptance counts if the session is still
		// the same.
		if _, known := c.session.received[r.id]; !known {
			c.session.received[r.id] = false
			c.factsChangedLocked()
		}
	}
	c.mu.Unlock()
	if r.qos == ExactlyOnce {
		if err := c.saveFacts(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.accepted = true
	r.conn.acknowledgeLocked()
	return nil
}

// acknowledgeLocked answers the messages that were accepted, up to the first that was not.
func (n *conn) acknowledgeLocked() {
	if n != n.c.conn {
		return
	}
	for len(n.held) > 0 && n.held[0].accepted {
		r := n.held[0]
		n.held = n.held[1:]
		n.heldBytes -= r.bytes
		t := packet.PUBREC
		if r.qos == AtLeastOnce {
			t = packet.PUBACK
			n.unacked1--
		}
		n.replyLocked(&packet.PublishAck{Type: t, ID: r.id})
	}
	n.noteExcessLocked()
	wake(n.readerWake)
}
