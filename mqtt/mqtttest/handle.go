package mqtttest

import (
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// handleLocked handles one packet.
func (c *conn) handleLocked(t packet.Type, p packet.Packet) error {
	do := &c.broker.behavior
	if (c.session == nil) != (t == packet.CONNECT) && c.waiting == nil ||
		c.waiting != nil && t != packet.AUTH && t != packet.DISCONNECT { // [MQTT-3.1.2-30]
		return c.broker.violationLocked("%v at the wrong time", t)
	}
	switch p := p.(type) {
	case *packet.Connect:
		return c.connectLocked(p)
	case *packet.Auth:
		return c.authLocked(p)
	case *packet.Publish:
		return c.publishLocked(p)
	case *packet.PublishAck:
		c.broker.acks = append(c.broker.acks, *p)
		switch t {
		case packet.PUBREL:
			code := packet.Success
			if !c.session.incoming[p.ID] {
				code = packet.PacketIdentifierNotFound
			}
			delete(c.session.incoming, p.ID)
			if !do.NoPuback && !c.stuck {
				delete(c.unacked, p.ID)
				c.sendLocked(&packet.PublishAck{Type: packet.PUBCOMP, ID: p.ID, Code: code})
			}
		default:
			c.session.answeredLocked(p)
		}
	case *packet.Subscribe:
		return c.subscribeLocked(p)
	case *packet.Unsubscribe:
		a := &packet.Suback{Type: packet.UNSUBACK, ID: p.ID}
		for _, f := range p.Filters {
			code := packet.NoSubscriptionExisted
			if _, ok := c.session.filters[f]; ok {
				code = packet.Success
			}
			delete(c.session.filters, f)
			a.Codes = append(a.Codes, code)
		}
		c.sendLocked(a)
	case *packet.Ping:
		if !do.NoPingresp {
			c.sendLocked(&packet.Ping{Type: packet.PINGRESP})
		}
	case *packet.Disconnect:
		c.broker.disconnects = append(c.broker.disconnects, *p)
		if p.Code == packet.NormalDisconnection {
			c.will = nil
		}
		if p.Properties.Present.Has(packet.PropSessionExpiry) {
			c.session.expiry = lifetime(p.Properties.SessionExpiry)
		}
		return errLeft
	default:
		return c.broker.violationLocked("%v from a client", t)
	}
	return nil
}

func (c *conn) connectLocked(p *packet.Connect) error {
	b, do := c.broker, &c.broker.behavior
	b.connects = append(b.connects, *p)
	switch {
	case do.Mute:
		return nil
	case do.Greeting != "":
		c.writeLocked([]byte(do.Greeting))
		c.last = true
		return nil
	case do.MQTT311:
		c.writeLocked([]byte{0x20, 2, 0, 1})
		c.last = true
		return nil
	case do.Refuse != 0:
		c.sendLocked(&packet.Connack{Code: do.Refuse, Properties: do.Properties})
		c.last = true
		return nil
	}
	if p.Will != nil && do.RefuseWill != nil {
		if code := do.RefuseWill(p.Will); code != 0 {
			c.sendLocked(&packet.Connack{Code: code})
			c.last = true
			return nil
		}
	}
	if p.Properties.Present.Has(packet.PropAuthenticationMethod) && do.Authenticate != nil {
		c.waiting, c.method = p, p.Properties.AuthenticationMethod
		return c.authenticateLocked(true, p.Properties.AuthenticationData)
	}
	return c.acceptLocked(p, nil)
}

// acceptLocked answers a CONNECT with success. data are those of the authentication.
func (c *conn) acceptLocked(p *packet.Connect, data []byte) error {
	b, do := c.broker, &c.broker.behavior
	answer := packet.Connack{Properties: do.Properties}
	if c.method != "" {
		answer.Properties.AuthenticationMethod = c.method
		answer.Properties.Present |= packet.Props(packet.PropAuthenticationMethod)
		if data != nil {
			answer.Properties.AuthenticationData = data
			answer.Properties.Present |= packet.Props(packet.PropAuthenticationData)
		}
	}
	id := p.ClientID
	if id == "" {
		id = fmt.Sprintf("assigned-%d", c.number)
		answer.Properties.AssignedClientID = id
		answer.Properties.Present |= packet.Props(packet.PropAssignedClientID)
	}
	s := b.sessions[id]
	if s != nil && s.conn != nil {
		s.conn.leaveLocked(&packet.Disconnect{Code: packet.SessionTakenOver})
	}
	if s != nil && (p.CleanStart || do.LoseSession) {
		b.endSessionLocked(s)
		s = nil
	}
	if s == nil {
		s = &session{clientID: id, filters: make(map[string]subscription), incoming: make(map[uint16]bool)}
		b.sessions[id] = s
	} else {
		s.returnedLocked()
		answer.SessionPresent = true
	}
	s.conn, c.session = c, s
	s.expiry = lifetime(p.Properties.SessionExpiry)
	if do.Properties.Present.Has(packet.PropSessionExpiry) {
		s.expiry = lifetime(do.Properties.SessionExpiry)
	}
	c.receiveMaximum = 65535
	if p.Properties.Present.Has(packet.PropReceiveMaximum) {
		c.receiveMaximum = int(p.Properties.ReceiveMaximum)
	}
	if w := p.Will; w != nil {
		c.will = &will{from: c, delay: time.Duration(w.Properties.WillDelay) * time.Second,
			publish: packet.Publish{QoS: w.QoS, Retain: w.Retain, Topic: w.Topic, Payload: append([]byte(nil), w.Payload...), Properties: w.Properties}}
		c.will.publish.Properties.Present &^= packet.Props(packet.PropWillDelay)
		c.will.publish.Properties.WillDelay = 0
	}
	if answer.SessionPresent && do.EarlyPublish {
		c.sendLocked(&packet.Publish{Topic: "early"})
		c.last = true
		return nil
	}
	c.stuck = answer.SessionPresent && do.StuckSession
	c.sendLocked(&answer)
	if answer.SessionPresent && do.NoResume {
		c.last = true
		return nil
	}
	s.repeatLocked()
	return nil
}

func (c *conn) publishLocked(p *packet.Publish) error {
	b, do := c.broker, &c.broker.behavior
	limits := &do.Properties
	aliased := p.Topic == ""
	if alias := p.Properties.TopicAlias; p.Properties.Present.Has(packet.PropTopicAlias) {
		switch {
		case alias == 0 || !limits.Present.Has(packet.PropTopicAliasMaximum) || alias > limits.TopicAliasMaximum:
			return b.violationLocked("topic alias %d, at most %d", alias, limits.TopicAliasMaximum)
		case aliased:
			p.Topic = c.aliases[alias]
		default:
			c.aliases[alias] = p.Topic
		}
		if do.AliasCloseAt == alias {
			return c.cutLocked()
		}
	}
	if c.exceeded(do.MaxMessages, do.MaxBytes, p.Size()) {
		b.discarded++
		return nil
	}
	kept := *p
	kept.Payload = append([]byte(nil), p.Payload...)
	b.published = append(b.published, Publication{ClientID: c.session.clientID, Connection: c.number, Aliased: aliased, At: time.Now(), Publish: kept})
	switch {
	case do.CloseAt != "" && Match(do.CloseAt, p.Topic), do.LargeCloseAt > 0 && p.Size() >= do.LargeCloseAt:
		return c.cutLocked()
	case do.RefuseAt != "" && Match(do.RefuseAt, p.Topic):
		c.sendLocked(&packet.PublishAck{Type: packet.PUBACK, ID: p.ID, Code: packet.NotAuthorized})
		c.last = true
		return nil
	case limits.Present.Has(packet.PropMaximumQoS) && p.QoS > limits.MaximumQoS:
		return b.violationLocked("PUBLISH with QoS %d, at most %d", p.QoS, limits.MaximumQoS)
	case limits.Present.Has(packet.PropRetainAvailable) && limits.RetainAvailable == 0 && p.Retain:
		return b.violationLocked("PUBLISH with retain, which is not available")
	case p.Topic == "":
		return b.violationLocked("PUBLISH without a topic")
	case c.unacked[p.ID]:
		return b.violationLocked("identifier %d is in use", p.ID)
	}
	if p.QoS > 0 {
		c.unacked[p.ID] = true
		if limits.Present.Has(packet.PropReceiveMaximum) && len(c.unacked) > int(limits.ReceiveMaximum) {
			return b.violationLocked("%d messages in flight, at most %d", len(c.unacked), limits.ReceiveMaximum)
		}
	}
	again := p.QoS == 2 && c.session.incoming[p.ID]
	if p.QoS == 2 {
		c.session.incoming[p.ID] = true
	}
	if !again && !do.AckCode.Failed() {
		b.routeLocked(c, *p)
	}
	if p.QoS == 0 || do.NoPuback || c.stuck {
		return nil
	}
	a := packet.PublishAck{Type: packet.PUBACK, ID: p.ID, Code: do.AckCode}
	if do.WrongID {
		a.ID = a.ID%65535 + 1
	}
	if p.QoS == 2 {
		a.Type = packet.PUBREC
	}
	if p.QoS == 1 || a.Code.Failed() {
		delete(c.unacked, p.ID)
		delete(c.session.incoming, p.ID)
	}
	c.sendLocked(&a)
	return nil
}

// exceeded counts a PUBLISH and reports whether there were more of them within a second than the
// broker takes.
func (c *conn) exceeded(maxMessages, maxBytes, size int) bool {
	now := time.Now()
	c.recent = slices.DeleteFunc(c.recent, func(r arrival) bool { return now.Sub(r.at) >= time.Second })
	c.recent = append(c.recent, arrival{now, size})
	bytes := 0
	for _, r := range c.recent {
		bytes += r.size
	}
	return maxMessages > 0 && len(c.recent) > maxMessages || maxBytes > 0 && bytes > maxBytes
}

func (c *conn) subscribeLocked(p *packet.Subscribe) error {
	if c.broker.behavior.NoSuback {
		return nil
	}
	if most := c.broker.behavior.MaxFilters; most > 0 && len(p.Subscriptions) > most {
		return c.broker.violationLocked("SUBSCRIBE with %d filters, at most %d", len(p.Subscriptions), most)
	}
	a := &packet.Suback{Type: packet.SUBACK, ID: p.ID}
	var id uint32
	if ids := p.Properties.SubscriptionIDs; len(ids) > 0 {
		id = ids[0]
		limits := &c.broker.behavior.Properties
		if limits.Present.Has(packet.PropSubscriptionIdentifierAvailable) && limits.SubscriptionIdentifierAvailable == 0 {
			return c.broker.violationLocked("SUBSCRIBE with an identifier, which is not available")
		}
	}
	for _, f := range p.Subscriptions {
		if do := &c.broker.behavior; do.FilterCloseAt != "" && do.FilterCloseAt == f.Filter {
			return c.cutLocked()
		}
		if code, ok := c.broker.behavior.SubackCode[f.Filter]; ok {
			a.Codes = append(a.Codes, code)
			if code.Failed() {
				continue
			}
			f.QoS = byte(code)
			c.session.filters[f.Filter] = subscription{f, id}
			continue
		}
		c.session.filters[f.Filter] = subscription{f, id}
		a.Codes = append(a.Codes, packet.ReasonCode(f.QoS))
	}
	c.sendLocked(a)
	for _, f := range p.Subscriptions {
		for topic, r := range c.broker.retained {
			if f.RetainHandling != packet.RetainDoNotSend && Match(f.Filter, topic) {
				r.QoS = min(r.QoS, f.QoS)
				c.session.deliverLocked(r)
			}
		}
	}
	return nil
}
