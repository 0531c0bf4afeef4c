package mqtttest

import (
	"errors"
	"fmt"
	"net"

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
	will           *packet.Publish
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
	if s := c.session; s != nil && s.conn == c {
		s.conn = nil
		if !s.outlasting {
			delete(c.broker.sessions, s.clientID)
		}
	}
	if c.will != nil {
		c.broker.routeLocked(c, *c.will)
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
		return errLeft
	default:
		return c.broker.violationLocked("%v from a client", t)
	}
	return nil
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
	if s == nil || p.CleanStart || do.LoseSession {
		s = &session{clientID: id, filters: make(map[string]subscription), incoming: make(map[uint16]bool)}
		b.sessions[id] = s
	} else {
		answer.SessionPresent = true
	}
	s.conn, c.session = c, s
	s.outlasting = p.Properties.SessionExpiry > 0
	c.receiveMaximum = 65535
	if p.Properties.Present.Has(packet.PropReceiveMaximum) {
		c.receiveMaximum = int(p.Properties.ReceiveMaximum)
	}
	if w := p.Will; w != nil {
		c.will = &packet.Publish{QoS: w.QoS, Retain: w.Retain, Topic: w.Topic, Payload: append([]byte(nil), w.Payload...), Properties: w.Properties}
		c.will.Properties.Present &^= packet.Props(packet.PropWillDelay)
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
	kept := *p
	kept.Payload = append([]byte(nil), p.Payload...)
	b.published = append(b.published, Publication{ClientID: c.session.clientID, Connection: c.number, Aliased: aliased, Publish: kept})
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

func (c *conn) subscribeLocked(p *packet.Subscribe) error {
	if c.broker.behavior.NoSuback {
		return nil
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
