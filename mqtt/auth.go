package mqtt

import (
	"context"
	"fmt"
	"slices"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// An Authenticator carries out enhanced authentication (MQTT 5.0, 4.12): on every connection, and
// again when the client re-authenticates. Its methods are never called concurrently. An exchange is
// one call of Start, a call of Continue for each answer that the broker asks for, and one call of
// Done if the broker accepts. Start begins a new exchange, however the previous one ended.
//
// ctx ends when the client gives up the exchange. An error of any method ends the attempt to
// connect or the connection; the exception is Start in Client.Reauthenticate, after which the
// connection goes on. Data that a method returns belongs to the client; data that a method receives
// is only valid during the call.
type Authenticator interface {
	// Method returns the name of the authentication method. It always returns the same one.
	Method() string
	// Start returns the initial data, nil for none.
	Start(ctx context.Context) (data []byte, err error)
	// Continue returns the answer to data, which came from the broker.
	Continue(ctx context.Context, data []byte) (answer []byte, err error)
	// Done receives the data that came with the acceptance by the broker, nil if there is none. It
	// returns an error if the broker did not prove its identity.
	Done(ctx context.Context, data []byte) error
}

// An authentication is the use that a client makes of its Authenticator.
type authentication struct {
	Authenticator
	sem chan struct{} // holds one value during an exchange
}

// begin waits for its turn, which end gives back, and starts an exchange.
func (a *authentication) begin(ctx context.Context) (data []byte, err error) {
	select {
	case a.sem <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("mqtt: authentication: %w", context.Cause(ctx))
	}
	data, err = a.Start(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("mqtt: authentication: %w", err)
	case len(data) > packet.MaxStringLength:
		err = fmt.Errorf("%w authentication: %d bytes of data, at most %d", ErrInvalid, len(data), packet.MaxStringLength)
	default:
		return data, nil
	}
	a.end()
	return nil, err
}

func (a *authentication) end() { <-a.sem }

// advance takes the next step of the exchange after an AUTH or CONNACK of the broker. next is the
// client's AUTH, nil after the last step.
func (a *authentication) advance(ctx context.Context, code ReasonCode, p *packet.Properties) (next *packet.Auth, err error) {
	if p.AuthenticationMethod != a.Method() { // [MQTT-4.12.0-5]
		return nil, violation("the broker authenticates with method %.40q instead of %q", p.AuthenticationMethod, a.Method())
	}
	switch code {
	case packet.Success:
		err = a.Done(ctx, p.AuthenticationData)
	case packet.ContinueAuthentication:
		var data []byte
		if data, err = a.Continue(ctx, p.AuthenticationData); err == nil {
			return a.packet(packet.ContinueAuthentication, data), nil // [MQTT-4.12.0-3]
		}
	default: // [MQTT-4.12.0-2]
		return nil, violation("AUTH with %v from a broker", code)
	}
	if err != nil {
		return nil, authenticationFailed(err)
	}
	return nil, nil
}

func authenticationFailed(err error) error {
	return &breach{packet.UnspecifiedError, fmt.Errorf("authentication: %w", err)}
}

func (a *authentication) packet(code ReasonCode, data []byte) *packet.Auth {
	p := &packet.Auth{Code: code}
	a.describe(&p.Properties, data)
	return p
}

// describe adds the method and the data to the properties of a CONNECT or AUTH.
func (a *authentication) describe(p *packet.Properties, data []byte) {
	p.AuthenticationMethod = a.Method()
	p.Present |= packet.Props(packet.PropAuthenticationMethod)
	if data != nil {
		p.AuthenticationData = data
		p.Present |= packet.Props(packet.PropAuthenticationData)
	}
}

// Reauthenticate authenticates again on the current connection [MQTT-4.12.1-1], while messages go
// on. It returns nil when the broker has accepted. Without a connection it returns nil too, since
// the next connection authenticates anyway. If it fails, the connection ends [MQTT-4.12.1-2] and
// the client reconnects, except if only the Authenticator's Start failed. A *ReasonError is the
// broker's refusal. Without Config.Authenticator the error is ErrInvalid.
func (c *Client) Reauthenticate(ctx context.Context) error {
	if c.auth == nil {
		return fmt.Errorf("%w re-authentication: there is no Config.Authenticator", ErrInvalid) // [MQTT-4.12.0-7]
	}
	data, err := c.auth.begin(ctx)
	if err != nil {
		return err
	}
	defer c.auth.end()
	c.mu.Lock()
	n := c.conn
	if n == nil || n.closing != nil {
		c.mu.Unlock()
		return nil
	}
	answers := make(chan packet.Auth, 1)
	n.auth = answers
	c.mu.Unlock()
	if err := n.reauthenticate(ctx, data, answers); err != nil {
		c.mu.Lock()
		n.leaveLocked(max(leaveCode(err), packet.UnspecifiedError), err)
		c.mu.Unlock()
		return err
	}
	return nil
}

// reauthenticate conducts the exchange. The end of the connection ends it.
func (n *conn) reauthenticate(ctx context.Context, data []byte, answers <-chan packet.Auth) error {
	a := n.c.auth
	for next := a.packet(packet.Reauthenticate, data); next != nil; {
		if size := len(next.Append(nil)); size > int(n.negotiated.MaximumPacketSize) {
			return fmt.Errorf("mqtt: AUTH of %d bytes, the broker takes %d: %w", size, n.negotiated.MaximumPacketSize, ErrTooLarge)
		}
		n.c.mu.Lock()
		n.replyLocked(next)
		n.c.mu.Unlock()
		select {
		case p := <-answers:
			var err error
			if next, err = a.advance(ctx, p.Code, &p.Properties); err != nil {
				return err
			}
		case <-n.dead:
			n.c.mu.Lock()
			defer n.c.mu.Unlock()
			return fmt.Errorf("mqtt: re-authentication: %w", n.err)
		case <-ctx.Done():
			return fmt.Errorf("mqtt: re-authentication: %w", context.Cause(ctx))
		}
	}
	return nil
}

// handleAuthLocked gives an AUTH to the re-authentication that waits for it.
func (n *conn) handleAuthLocked(p *packet.Auth) error {
	// it was part of the read buffer
	p.Properties.AuthenticationData = slices.Clone(p.Properties.AuthenticationData)
	answers := n.auth
	if answers == nil {
		return violation("AUTH although the client does not authenticate") // [MQTT-4.12.0-6]
	}
	if p.Code == packet.Success {
		n.auth = nil
	}
	select {
	case answers <- *p:
		return nil
	default:
		return violation("AUTH out of turn")
	}
}
