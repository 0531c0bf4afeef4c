package mqtt

import (
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

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

// unwanted returns an error if a packet, which is neither a PUBLISH nor a DISCONNECT, has what the
// client asked the broker to leave out [MQTT-3.1.2-29].
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
	overtaken := n.c.session.overtaken
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
	if o := n.c.session.overtaken; o != overtaken && o != nil {
		n.overtakenAt = n.lastAck
		n.wakeWriterLocked()
	}
	return nil
}
