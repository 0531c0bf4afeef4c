package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
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
	nc, err := open(ctx, u, cfg)
	if err != nil {
		return nil, fmt.Errorf("mqtt: dial %v: %w", u, err)
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
	who, err := c.cfg.Credentials(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("mqtt: credentials: %w", err)
	}
	if !packet.ValidString(who.Username) || len(who.Password) > packet.MaxStringLength {
		return time.Time{}, fmt.Errorf("%w credentials: not an MQTT string, or longer than %d bytes", ErrInvalid, packet.MaxStringLength)
	}
	p.HasUsername, p.Username = who.Username != "", who.Username
	p.HasPassword, p.Password = who.Password != nil, who.Password
	return who.Expires, nil
}

// handshake writes the CONNECT, authenticates and waits for the CONNACK. The caller closes the
// connection to end the wait.
func (n *conn) handshake(ctx context.Context, request *packet.Connect) (*packet.Connack, error) {
	var next packet.Packet = request
	for {
		b := next.Append(nil)
		if _, err := n.nc.Write(b); err != nil {
			return nil, fmt.Errorf("mqtt: connecting: %w", err)
		}
		n.c.bytesOut.Add(uint64(len(b)))
		h, body, err := n.readPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case h.Type == packet.AUTH && n.c.auth != nil:
			var p packet.Auth
			if err := p.Decode(h, body); err != nil {
				return nil, err
			}
			if err := n.unwanted(h, &p.Properties); err != nil {
				return nil, err
			}
			if p.Code != packet.ContinueAuthentication { // [MQTT-4.12.0-2]
				return nil, violation("AUTH with %v before CONNACK", p.Code)
			}
			if next, err = n.c.auth.advance(ctx, p.Code, &p.Properties); err != nil {
				return nil, err
			}
		case h.Type != packet.CONNACK: // [MQTT-3.2.0-1] [MQTT-4.12.0-6]
			return nil, unexpected(h.Type)
		case h.Length == 2:
			return nil, ErrNotMQTT5
		default:
			return n.checkConnack(ctx, h, body)
		}
	}
}

// checkConnack returns the CONNACK in body if the broker accepted and, with enhanced
// authentication, proved what it has to.
func (n *conn) checkConnack(ctx context.Context, h packet.Header, body []byte) (*packet.Connack, error) {
	answer := new(packet.Connack)
	if err := answer.Decode(h, body); err != nil {
		return nil, err
	}
	p := &answer.Properties
	switch {
	case answer.Code != packet.Success:
		return nil, reasonError(packet.CONNACK, answer.Code, p)
	case n.c.auth != nil:
		if _, err := n.c.auth.advance(ctx, packet.Success, p); err != nil {
			return nil, err
		}
	case p.Present.Has(packet.PropAuthenticationMethod): // [MQTT-4.12.0-6]
		return nil, violation("CONNACK with an authentication method that was not asked for")
	}
	return answer, nil
}

// readPacket reads one packet byte for byte as far as its length is not known, so that nothing of
// the next one is taken.
func (n *conn) readPacket() (h packet.Header, body []byte, err error) {
	var head [packet.MaxHeaderSize]byte
	size := 0
	for i := 0; size == 0; i++ {
		if i == len(head) {
			return h, nil, violation("no fixed header")
		}
		if _, err := io.ReadFull(n.nc, head[i:i+1]); err != nil {
			if n.silent && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)) {
				return h, nil, fmt.Errorf("%w: %w", ErrNoConnack, err)
			}
			return h, nil, fmt.Errorf("mqtt: waiting for CONNACK: %w", err)
		}
		n.silent = false
		if i == 0 && mayBeOtherProtocol(head[0]) {
			if err := n.checkGreeting(head[0]); err != nil {
				return h, nil, err
			}
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

// checkGreeting examines what follows the first byte of an answer that no broker should begin with,
// and returns what is wrong with it.
func (n *conn) checkGreeting(first byte) error {
	b := [16]byte{first}
	if err := n.nc.SetReadDeadline(time.Now().Add(lingerTimeout)); err != nil {
		return fmt.Errorf("mqtt: waiting for CONNACK: %w", err)
	}
	filled := 1
	for filled < 4 {
		m, err := n.nc.Read(b[filled:])
		filled += m
		if err != nil {
			break
		}
	}
	if err := mismatch(b[:filled]); err != nil {
		return err
	}
	h, _, err := packet.DecodeHeader(b[:filled])
	if err != nil {
		return err
	}
	return unexpected(h.Type) // [MQTT-3.2.0-1] [MQTT-4.12.0-6]
}

// errBeforeConnack is a packet that comes before the CONNACK: a broker that resumes a session may
// forget to send that.
var errBeforeConnack = errors.New("instead of CONNACK")

func unexpected(t packet.Type) error { return violation("%v %w", t, errBeforeConnack) }

// refuse ends a connection that did not come to be, with the DISCONNECT that err asks for.
func (n *conn) refuse(err error) {
	limit := n.negotiated.MaximumPacketSize // 0 before the CONNACK
	if code := leaveCode(err); code != 0 && (limit == 0 || limit >= minPacketSize) {
		timer := time.AfterFunc(lingerTimeout, func() { n.nc.Close() })
		defer timer.Stop()
		_, _ = n.nc.Write((&packet.Disconnect{Code: code}).Append(nil))
	}
	n.nc.Close()
}

// leaveCode returns the reason code with which to leave a broker because of err, 0 for without a
// DISCONNECT.
func leaveCode(err error) ReasonCode {
	if b, ok := errors.AsType[*breach](err); ok {
		return b.code
	}
	if p, ok := errors.AsType[*packet.Error](err); ok {
		return p.Code
	}
	return 0
}
