package mqtt

import (
	"context"
	"math"
	"net/url"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// negotiate notes what the CONNACK says, with the standard's defaults.
func (n *conn) negotiate(u *url.URL, request *packet.Connect, answer *packet.Connack) error {
	q := &answer.Properties
	has := q.Present.Has
	g := &n.negotiated
	*g = Negotiated{
		URL: shownURL(u), ClientID: request.ClientID,
		SessionPresent: answer.SessionPresent, SessionExpiry: max(n.c.cfg.SessionExpiry, 0),
		KeepAlive:      time.Duration(request.KeepAlive) * time.Second,
		ReceiveMaximum: math.MaxUint16, MaximumPacketSize: packet.MaxHeaderSize + packet.MaxLength, MaximumQoS: ExactlyOnce,
		TopicAliasMaximum: q.TopicAliasMaximum, ResponseInformation: q.ResponseInformation,
		RetainAvailable:                 !has(packet.PropRetainAvailable) || q.RetainAvailable == 1,
		WildcardSubscriptionAvailable:   !has(packet.PropWildcardSubscriptionAvailable) || q.WildcardSubscriptionAvailable == 1,
		SubscriptionIdentifierAvailable: !has(packet.PropSubscriptionIdentifierAvailable) || q.SubscriptionIdentifierAvailable == 1,
		SharedSubscriptionAvailable:     !has(packet.PropSharedSubscriptionAvailable) || q.SharedSubscriptionAvailable == 1,
		Reason:                          q.ReasonString, UserProperties: q.UserProperties,
	}
	if has(packet.PropSessionExpiry) {
		g.SessionExpiry = time.Duration(q.SessionExpiry) * time.Second
	}
	if has(packet.PropServerKeepAlive) { // [MQTT-3.1.2-21]
		g.ServerKeepAlive = time.Duration(q.ServerKeepAlive) * time.Second
		g.KeepAlive = g.ServerKeepAlive
	}
	if has(packet.PropReceiveMaximum) {
		g.ReceiveMaximum = q.ReceiveMaximum
	}
	if has(packet.PropMaximumPacketSize) {
		g.MaximumPacketSize = q.MaximumPacketSize
	}
	if has(packet.PropMaximumQoS) {
		g.MaximumQoS = QoS(q.MaximumQoS)
	}
	if has(packet.PropAssignedClientID) {
		g.AssignedClientID = q.AssignedClientID
		g.ClientID = q.AssignedClientID
	}
	g.Will = n.will
	if n.c.noAliases {
		g.TopicAliasMaximum = 0
	}
	n.outAliases.limit = int(min(n.c.cfg.OutboundTopicAliases, g.TopicAliasMaximum)) // [MQTT-3.2.2-17] [MQTT-3.2.2-18]
	switch {
	case g.MaximumPacketSize < minPacketSize: // [MQTT-3.2.2-15]
		return violation("the broker takes packets of %d bytes, an acknowledgement has %d", g.MaximumPacketSize, minPacketSize)
	case answer.SessionPresent && request.CleanStart: // [MQTT-3.2.2-2] [MQTT-3.2.2-4]
		return violation("session present after a clean start")
	case answer.SessionPresent && !n.c.facts.resumable && !n.c.facts.restart:
		n.c.facts.foreign = true
		return errForeignSession
	case has(packet.PropAssignedClientID) && request.ClientID != "":
		return violation("the broker assigned a client id although %q was asked for", request.ClientID)
	case g.ClientID == "": // [MQTT-3.2.2-16]
		return violation("the broker assigned no client id")
	}
	return nil
}

// adopt makes n the current connection and carries the session over to it.
func (c *Client) adopt(n *conn) (lost bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false, context.Cause(c.stop)
	}
	if c.clientID != n.negotiated.ClientID {
		c.clientID = n.negotiated.ClientID
		c.factsChangedLocked()
	}
	window := min(c.cfg.MaxInFlight, int(n.negotiated.ReceiveMaximum))
	if n.negotiated.SessionPresent {
		c.session.resume(window)
		for x := c.session.released.head; x != nil; x = x.next {
			n.control = (&packet.PublishAck{Type: packet.PUBREL, ID: x.id}).Append(n.control)
		}
	} else {
		lost = c.facts.resumable
		c.epoch++
		if len(c.session.received) > 0 {
			c.factsChangedLocked()
		}
		delivered, republished := c.session.restart(window)
		for _, x := range delivered {
			c.settleLocked(x, PublishResult{}, nil)
		}
		c.stats.Republished += uint64(republished)
		c.settler.expiry = time.Now() // they may expire again
		wake(c.settler.wake)
	}
	c.facts.resumable = c.cfg.SessionExpiry > 0
	c.facts.foreign = false
	c.responses.topic = n.responseTopic()
	n.epoch = c.epoch
	n.connackAt = n.now()
	n.lastAck = n.connackAt
	n.c.facts.restart = false
	n.gotPacket = false
	if n.awaitingPing = n.probing; n.awaitingPing {
		n.pingSent = n.connackAt
		n.control = (&packet.Ping{Type: packet.PINGREQ}).Append(n.control)
	}
	c.conn = n
	c.stats.Connects++
	c.stats.Reconnects = c.stats.Connects - 1
	return lost, nil
}
