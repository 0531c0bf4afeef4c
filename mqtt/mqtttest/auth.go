package mqtttest

import "github.com/fieldgate/fieldgate/mqtt/packet"

// auth handles an AUTH. mu is held.
func (c *conn) auth(p *packet.Auth) error {
	again := p.Code == packet.Reauthenticate
	switch {
	case c.method == "" || p.Properties.AuthenticationMethod != c.method: // [MQTT-4.12.0-5] [MQTT-4.12.0-7]
		return c.broker.violation("AUTH with method %q instead of %q", p.Properties.AuthenticationMethod, c.method)
	case again == c.authenticating, !again && p.Code != packet.ContinueAuthentication: // [MQTT-4.12.0-3] [MQTT-4.12.1-1]
		return c.broker.violation("AUTH with %v at the wrong time", p.Code)
	}
	return c.authenticate(again, p.Properties.AuthenticationData)
}

// authenticate takes the next step of an exchange. mu is held.
func (c *conn) authenticate(start bool, data []byte) error {
	c.authenticating = true
	answer, done, err := c.broker.behavior.Authenticate(start, data)
	switch {
	case err != nil && c.waiting != nil:
		c.send(&packet.Connack{Code: packet.NotAuthorized})
		c.last = true
	case err != nil:
		c.leave(&packet.Disconnect{Code: packet.NotAuthorized})
	case done && c.waiting != nil:
		p := c.waiting
		c.waiting, c.authenticating = nil, false
		return c.accept(p, answer)
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
		c.send(p)
	}
	return nil
}
