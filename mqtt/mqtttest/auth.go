package mqtttest

import "github.com/fieldgate/fieldgate/mqtt/packet"

// authLocked handles an AUTH.
func (c *conn) authLocked(p *packet.Auth) error {
	again := p.Code == packet.Reauthenticate
	switch {
	case c.method == "" || p.Properties.AuthenticationMethod != c.method: // [MQTT-4.12.0-5] [MQTT-4.12.0-7]
		return c.broker.violationLocked("AUTH with method %q instead of %q", p.Properties.AuthenticationMethod, c.method)
	case again == c.authenticating, !again && p.Code != packet.ContinueAuthentication: // [MQTT-4.12.0-3] [MQTT-4.12.1-1]
		return c.broker.violationLocked("AUTH with %v at the wrong time", p.Code)
	}
	return c.authenticateLocked(again, p.Properties.AuthenticationData)
}

// authenticateLocked takes the next step of an exchange.
func (c *conn) authenticateLocked(start bool, data []byte) error {
	c.authenticating = true
	answer, done, err := c.broker.behavior.Authenticate(start, data)
	switch {
	case err != nil && c.waiting != nil:
		c.sendLocked(&packet.Connack{Code: packet.NotAuthorized})
		c.last = true
	case err != nil:
		c.leaveLocked(&packet.Disconnect{Code: packet.NotAuthorized})
	case done && c.waiting != nil:
		p := c.waiting
		c.waiting, c.authenticating = nil, false
		return c.acceptLocked(p, answer)
	default:
		p := &packet.Auth{Code: packet.ContinueAuthentication}
		if done {
			c.authenticating, p.Code = false, packet.Success
		}
		p.Properties.AuthenticationMethod = c.method
		p.Properties.Present = packet.Props(packet.PropAuthenticationMethod)
		if answer != nil {
			p.Properties.AuthenticationData = answer
			p.Properties.Present |= packet.Props(packet.PropAuthenticationData)
		}
		c.sendLocked(p)
	}
	return nil
}
