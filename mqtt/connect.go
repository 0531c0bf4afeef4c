package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// connect dials and exchanges CONNECT and CONNACK. The connection that it returns is the client's
// current one, and the session continues on it; lost reports that the broker had lost the session.
func (c *Client) connect(ctx context.Context, u *url.URL) (n *conn, lost bool, err error) {
	if err := c.loadFacts(ctx); err != nil {
		return nil, false, err
	}
	request, will, expires, err := c.connectPacket(ctx)
	if err != nil {
		return nil, false, err
	}
	if request.ClientID != "" && !c.facts.announced {
		c.mu.Lock()
		c.factsChangedLocked()
		c.mu.Unlock()
		if err := c.saveFacts(ctx); err != nil {
			return nil, false, err
		}
		c.facts.announced = true
	}
	if c.auth != nil {
		data, err := c.auth.begin(ctx)
		if err != nil {
			return nil, false, err
		}
		defer c.auth.end()
		c.auth.describe(&request.Properties, data)
	}
	nc, err := c.dial(ctx, u)
	if err != nil {
		return nil, false, err
	}
	n = newConn(c, nc)
	n.expires, n.will = expires, will
	n.probing = c.suspect.probeNext
	c.sentWill = will
	release := context.AfterFunc(ctx, func() { nc.Close() })
	answer, err := n.handshake(ctx, request)
	if !release() {
		err = context.Cause(ctx)
		if n.silent && c.stop.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrSilent, err)
		}
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
		open = Dialer{}.Dial
	}
	m := &attemptMeter{meter: &c.bytes}
	nc, err := open(context.WithValue(ctx, meterKey{}, m), u, cfg)
	if err != nil {
		return nil, fmt.Errorf("mqtt: dial %s: %w", shownURL(u), err)
	}
	if !m.atSocket.Load() {
		nc = &meteredConn{nc, &c.bytes}
	}
	return withProgress(nc), nil
}

// errForeignSession ends an attempt in which the broker reported a session that is not this
// client's [MQTT-3.2.2-4]. The next attempt starts a new one.
var errForeignSession = errors.New("mqtt: the broker holds another client's session under this id; starting a new one")

// cleanStart reports whether the next CONNECT asks for a clean start. A client without a session of
// its own does not, unless a session is in its way or none is wanted: mosquitto 2.0 does not keep a
// session that began with one over a restart.
func (c *Client) cleanStart() bool {
	return c.facts.restart || !c.facts.resumable && (c.facts.foreign || c.cfg.CleanStart || c.cfg.SessionExpiry <= 0)
}

// connectPacket makes the CONNECT of the next attempt, except enhanced authentication. It also
// returns its will, and when its credentials expire.
func (c *Client) connectPacket(ctx context.Context) (p *packet.Connect, will *Will, expires time.Time, err error) {
	p = &packet.Connect{CleanStart: c.cleanStart(), ClientID: c.clientID}
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
	if len(c.cfg.UserProperties) > 0 {
		q.UserProperties = c.cfg.UserProperties
		q.Present |= packet.Props(packet.PropUserProperty)
	}
	if c.cfg.NoProblemInformation {
		q.Present |= packet.Props(packet.PropRequestProblemInformation) // with the value 0
	}
	if c.cfg.ResponseTopic == "" {
		q.RequestResponseInformation = 1
		q.Present |= packet.Props(packet.PropRequestResponseInformation)
	}
	if expires, err = c.addCredentials(ctx, p); err != nil {
		return nil, nil, expires, err
	}
	if c.cfg.Will != nil {
		if w := c.will.reduce(c.cfg.Will()); w != nil {
			if p.Will, err = w.encode(); err != nil {
				return nil, nil, expires, err
			}
			will = w
		}
	}
	return p, will, expires, nil
}

// addCredentials asks for credentials and adds them to a CONNECT. It returns when they expire, zero
// for never.
func (c *Client) addCredentials(ctx context.Context, p *packet.Connect) (expires time.Time, err error) {
	if c.cfg.Credentials == nil {
		return time.Time{}, nil
	}
	var who Credentials
	if c.renewed != nil {
		who, c.renewed = *c.renewed, nil
	} else if who, err = c.cfg.Credentials(ctx); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	if !packet.ValidString(who.Username) || len(who.Password) > packet.MaxStringLength {
		return time.Time{}, fmt.Errorf("%w credentials: not an MQTT string, or longer than %d bytes", ErrInvalid, packet.MaxStringLength)
	}
	p.HasUsername, p.Username = who.Username != "", who.Username
	p.HasPassword, p.Password = who.Password != nil, who.Password
	return who.Expires, nil
}
