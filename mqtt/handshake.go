package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// handshake writes the CONNECT, authenticates and waits for the CONNACK. The caller closes the
// connection to end the wait.
func (n *conn) handshake(ctx context.Context, request *packet.Connect) (*packet.Connack, error) {
	var next packet.Packet = request
	for {
		b := next.Append(nil)
		if _, err := n.nc.Write(b); err != nil {
			return nil, fmt.Errorf("mqtt: connecting: %w", err)
		}
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
				return h, nil, fmt.Errorf("%w: %w", ErrClosedAfterConnect, err)
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
