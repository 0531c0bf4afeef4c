package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// connect dials and exchanges CONNECT and CONNACK. The connection that it returns is the client's current one, and the session goes on in
// it; lost says that the broker had forgotten the session.
func (c *Client) connect(ctx context.Context, u *url.URL) (n *conn, lost bool, err error) {
	if err := c.loadFacts(ctx); err != nil {
		return nil, false, err
	}
	request, err := c.connectPacket(ctx)
	if err != nil {
		return nil, false, err
	}
	if request.ClientID != "" && !c.facts.announced {
		c.mu.Lock()
		c.changed()
		c.mu.Unlock()
		if err := c.saveFacts(ctx); err != nil {
			return nil, false, err
		}
		c.facts.announced = true
	}
	nc, err := c.dial(ctx, u)
	if err != nil {
		return nil, false, err
	}
	n = newConn(c, nc)
	release := context.AfterFunc(ctx, func() { nc.Close() })
	answer, err := n.introduce(request)
	if !release() {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = n.negotiate(u, request, answer)
	}
	if err == nil {
		lost, err = c.adopt(n)
	}
	if err == nil {
		if err = c.saveFacts(ctx); err != nil {
			c.mu.Lock()
			c.conn = nil
			c.session.suspend()
			c.mu.Unlock()
		}
	}
	if err != nil {
		n.refuse(err)
		return nil, false, err
	}
	return n, lost, nil
}

func (c *Client) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	var cfg *tls.Config
	if c.cfg.TLS != nil {
		var err error
		if cfg, err = c.cfg.TLS(ctx); err != nil {
			return nil, fmt.Errorf("mqtt: TLS configuration: %w", err)
		}
	}
	open := c.cfg.Dial
	if open == nil {
		open = dial
	}
	nc, err := open(ctx, u, cfg)
	if err != nil {
		return nil, fmt.Errorf("mqtt: dial %v: %w", u, err)
	}
	return &progressConn{nc}, nil
}

// connectPacket makes the CONNECT of the next attempt.
func (c *Client) connectPacket(ctx context.Context) (*packet.Connect, error) {
	p := &packet.Connect{CleanStart: !c.facts.resumable, ClientID: c.clientID}
	if c.cfg.KeepAlive > 0 {
		p.KeepAlive = uint16(seconds(c.cfg.KeepAlive))
	}
	q := &p.Properties
	q.ReceiveMaximum = c.cfg.ReceiveMaximum
	q.MaximumPacketSize = c.cfg.MaximumPacketSize
	q.Present = packet.Props(packet.PropReceiveMaximum, packet.PropMaximumPacketSize)
	if c.cfg.SessionExpiry > 0 {
		q.SessionExpiry = seconds(c.cfg.SessionExpiry)
		q.Present |= packet.Props(packet.PropSessionExpiry)
	}
	if c.cfg.TopicAliasMaximum > 0 {
		q.TopicAliasMaximum = c.cfg.TopicAliasMaximum
		q.Present |= packet.Props(packet.PropTopicAliasMaximum)
	}
	if c.cfg.Credentials != nil {
		who, err := c.cfg.Credentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("mqtt: credentials: %w", err)
		}
		if !packet.ValidString(who.Username) || len(who.Password) > packet.MaxStringLength {
			return nil, fmt.Errorf("mqtt: credentials: %w: not an MQTT string, or longer than %d bytes", ErrInvalid, packet.MaxStringLength)
		}
		p.HasUsername, p.Username = who.Username != "", who.Username
		p.HasPassword, p.Password = who.Password != nil, who.Password
	}
	if c.cfg.Will != nil {
		if w := c.cfg.Will(); w != nil {
			var err error
			if p.Will, err = w.encode(); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// introduce writes the CONNECT and waits for the CONNACK. Whoever calls it closes the connection to end the wait.
func (n *conn) introduce(request *packet.Connect) (*packet.Connack, error) {
	b := request.Append(nil)
	if _, err := n.nc.Write(b); err != nil {
		return nil, fmt.Errorf("mqtt: writing CONNECT: %w", err)
	}
	n.c.bytesOut.Add(uint64(len(b)))
	h, body, err := n.readPacket()
	if err != nil {
		return nil, err
	}
	answer := new(packet.Connack)
	switch {
	case h.Type != packet.CONNACK: // [MQTT-3.2.0-1]
		return nil, violation("%v instead of CONNACK", h.Type)
	case h.Length == 2:
		return nil, errNotMQTT5
	}
	if err := answer.Decode(h, body); err != nil {
		return nil, err
	}
	if answer.Code != packet.Success {
		return nil, reasonError(packet.CONNACK, answer.Code, &answer.Properties)
	}
	return answer, nil
}

// readPacket reads one packet byte for byte as far as its length is not known, so that nothing of the next one is
// taken.
func (n *conn) readPacket() (h packet.Header, body []byte, err error) {
	var head [packet.MaxHeaderSize]byte
	size := 0
	for i := 0; size == 0; i++ {
		if i == len(head) {
			return h, nil, violation("no fixed header")
		}
		if _, err := io.ReadFull(n.nc, head[i:i+1]); err != nil {
			return h, nil, fmt.Errorf("mqtt: waiting for CONNACK: %w", err)
		}
		if h, size, err = packet.DecodeHeader(head[:i+1]); err != nil {
			return h, nil, err
		}
	}
	if err := n.fits(h, size); err != nil {
		return h, nil, err
	}
	body = make([]byte, h.Length)
	if _, err := io.ReadFull(n.nc, body); err != nil {
		return h, nil, fmt.Errorf("mqtt: waiting for CONNACK: %w", err)
	}
	n.c.bytesIn.Add(uint64(size + h.Length))
	return h, body, nil
}

// negotiate notes what the CONNACK says, with the standard's defaults.
func (n *conn) negotiate(u *url.URL, request *packet.Connect, answer *packet.Connack) error {
	q := &answer.Properties
	has := q.Present.Has
	g := &n.negotiated
	*g = Negotiated{
		URL: u.String(), ClientID: request.ClientID,
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
	switch {
	case has(packet.PropAuthenticationMethod): // [MQTT-4.12.0-6]
		return violation("CONNACK with an authentication method that was not asked for")
	case answer.SessionPresent && request.CleanStart: // [MQTT-3.2.2-2] [MQTT-3.2.2-4]
		return violation("session present after a clean start")
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
		c.changed()
	}
	window := min(c.cfg.MaxInFlight, int(n.negotiated.ReceiveMaximum))
	if n.negotiated.SessionPresent {
		c.session.resume(window)
		for x := c.session.released.head; x != nil; x = x.next {
			n.control = (&packet.Ack{Type: packet.PUBREL, ID: x.id}).Append(n.control)
		}
	} else {
		lost = c.facts.resumable
		c.epoch++
		if len(c.session.received) > 0 {
			c.changed()
		}
		delivered, republished := c.session.restart(window)
		for _, x := range delivered {
			c.settle(x, Ack{}, nil)
		}
		c.stats.Republished += uint64(republished)
	}
	c.facts.resumable = c.cfg.SessionExpiry > 0
	n.epoch = c.epoch
	n.lastAck = time.Now()
	c.conn = n
	c.stats.Connects++
	c.stats.Reconnects = c.stats.Connects - 1
	return lost, nil
}

// refuse ends a connection that did not come to be, with the DISCONNECT that err asks for.
func (n *conn) refuse(err error) {
	if code := leaveCode(err); code != 0 {
		timer := time.AfterFunc(lingerTimeout, func() { n.nc.Close() })
		defer timer.Stop()
		_, _ = n.nc.Write((&packet.Disconnect{Code: code}).Append(nil))
	}
	n.nc.Close()
}

// leaveCode returns the reason code with which to leave a broker because of err, 0 for without a DISCONNECT.
func leaveCode(err error) ReasonCode {
	if b, ok := errors.AsType[*breach](err); ok {
		return b.code
	}
	if p, ok := errors.AsType[*packet.Error](err); ok {
		return p.Code
	}
	return 0
}
