package packet

// Connect is a CONNECT packet (MQTT 5.0, 3.1).
type Connect struct {
	CleanStart  bool
	KeepAlive   uint16 // seconds, 0 for none
	ClientID    string
	Will        *Will
	HasUsername bool
	Username    string
	HasPassword bool
	Password    []byte
	Properties  Properties
}

// Will is the will message in a CONNECT packet.
type Will struct {
	QoS        byte
	Retain     bool
	Topic      string
	Payload    []byte
	Properties Properties
}

const protocolName = "\x00\x04MQTT\x05"

func (c *Connect) length() int {
	n := len(protocolName) + 3 + c.Properties.size() + 2 + len(c.ClientID)
	if c.Will != nil {
		n += c.Will.Properties.size() + 2 + len(c.Will.Topic) + 2 + len(c.Will.Payload)
	}
	if c.HasUsername {
		n += 2 + len(c.Username)
	}
	if c.HasPassword {
		n += 2 + len(c.Password)
	}
	return n
}

// Append appends the encoded packet to b.
func (c *Connect) Append(b []byte) []byte {
	var flags byte
	if c.CleanStart {
		flags |= 0x02
	}
	if c.Will != nil {
		flags |= 0x04 | c.Will.QoS<<3
		if c.Will.Retain {
			flags |= 0x20
		}
	}
	if c.HasPassword {
		flags |= 0x40
	}
	if c.HasUsername {
		flags |= 0x80
	}
	b = appendHeader(b, CONNECT, 0, c.length())
	b = append(append(b, protocolName...), flags)
	b = appendUint16(b, c.KeepAlive)
	b = c.Properties.append(b)
	b = appendString(b, c.ClientID) // the order of [MQTT-3.1.3-1]
	if c.Will != nil {
		b = c.Will.Properties.append(b)
		b = appendString(b, c.Will.Topic)
		b = appendString(b, c.Will.Payload)
	}
	if c.HasUsername {
		b = appendString(b, c.Username)
	}
	if c.HasPassword {
		b = appendString(b, c.Password)
	}
	return b
}

// Decode decodes the body of a packet.
func (c *Connect) Decode(_ Header, body []byte) error {
	*c = Connect{}
	r := reader{typ: CONNECT, rest: body}
	if string(r.take(len(protocolName))) != protocolName {
		r.fail(&Error{CONNECT, UnsupportedProtocolVersion, "not MQTT 5.0"})
	}
	flags := r.byte()
	if flags&0x01 != 0 || flags&0x18 == 0x18 || flags&0x04 == 0 && flags&0x38 != 0 {
		r.fail(malformed(CONNECT, "connect flags are wrong"))
	}
	c.CleanStart, c.HasUsername, c.HasPassword = flags&0x02 != 0, flags&0x80 != 0, flags&0x40 != 0
	c.KeepAlive = r.uint16()
	r.properties(CONNECT, &c.Properties)
	r.needMethod(&c.Properties)
	c.ClientID = r.string()
	if flags&0x04 != 0 {
		w := &Will{QoS: flags >> 3 & 3, Retain: flags&0x20 != 0}
		r.properties(will, &w.Properties)
		w.Topic, w.Payload = r.string(), r.binary()
		if !ValidTopic(w.Topic) {
			r.fail(malformed(CONNECT, "will topic is not a topic name"))
		}
		c.Will = w
	}
	if c.HasUsername {
		c.Username = r.string()
	}
	if c.HasPassword {
		c.Password = r.binary()
	}
	return r.end()
}

// needMethod fails if there is authentication data without a method.
func (r *reader) needMethod(p *Properties) {
	if p.Present.Has(PropAuthenticationData) && !p.Present.Has(PropAuthenticationMethod) {
		r.fail(violation(r.typ, "authentication data without a method"))
	}
}

// Connack is a CONNACK packet (MQTT 5.0, 3.2).
type Connack struct {
	SessionPresent bool
	Code           ReasonCode
	Properties     Properties
}

// Append appends the encoded packet to b.
func (c *Connack) Append(b []byte) []byte {
	var flags byte
	if c.SessionPresent {
		flags = 1
	}
	b = appendHeader(b, CONNACK, 0, 2+c.Properties.size())
	return c.Properties.append(append(b, flags, byte(c.Code)))
}

// Decode decodes the body of a packet.
func (c *Connack) Decode(_ Header, body []byte) error {
	*c = Connack{}
	r := reader{typ: CONNACK, rest: body}
	flags := r.byte()
	if flags > 1 {
		r.fail(malformed(CONNACK, "reserved flags are set")) // [MQTT-3.2.2-1]
	}
	c.SessionPresent = flags == 1
	c.Code = r.code()
	if c.SessionPresent && c.Code != Success {
		r.fail(violation(CONNACK, "refused with session present")) // [MQTT-3.2.2-6]
	}
	r.properties(CONNACK, &c.Properties)
	return r.end()
}

// Disconnect is a DISCONNECT packet (MQTT 5.0, 3.14).
type Disconnect struct {
	Code       ReasonCode
	Properties Properties
}

// Size returns the size of the encoded packet.
func (d *Disconnect) Size() int {
	switch {
	case d.Properties.Present != 0:
		return sizeWithHeader(1 + d.Properties.size())
	case d.Code != Success:
		return sizeWithHeader(1)
	}
	return sizeWithHeader(0)
}

// Append appends the encoded packet to b, in its shortest form.
func (d *Disconnect) Append(b []byte) []byte {
	return appendShort(b, DISCONNECT, d.Code, &d.Properties)
}

// Decode decodes the body of a packet.
func (d *Disconnect) Decode(_ Header, body []byte) error {
	*d = Disconnect{}
	return decodeShort(DISCONNECT, body, &d.Code, &d.Properties)
}

// Auth is an AUTH packet (MQTT 5.0, 3.15).
type Auth struct {
	Code       ReasonCode
	Properties Properties
}

// Append appends the encoded packet to b, in its shortest form.
func (a *Auth) Append(b []byte) []byte { return appendShort(b, AUTH, a.Code, &a.Properties) }

// Decode decodes the body of a packet.
func (a *Auth) Decode(_ Header, body []byte) error {
	*a = Auth{}
	return decodeShort(AUTH, body, &a.Code, &a.Properties)
}

// appendShort appends a packet of which everything that is zero at the end is left out.
func appendShort(b []byte, t Type, c ReasonCode, p *Properties) []byte {
	switch {
	case p.Present != 0:
		b = appendHeader(b, t, 0, 1+p.size())
		return p.append(append(b, byte(c)))
	case c != Success:
		return append(appendHeader(b, t, 0, 1), byte(c))
	}
	return appendHeader(b, t, 0, 0)
}

func decodeShort(t Type, body []byte, c *ReasonCode, p *Properties) error {
	r := reader{typ: t, rest: body}
	if len(r.rest) > 0 {
		*c = r.code()
	}
	if len(r.rest) > 0 {
		r.properties(t, p)
		r.needMethod(p)
	}
	return r.end()
}

// Ping is a PINGREQ or PINGRESP packet (MQTT 5.0, 3.12 and 3.13); Type says which.
type Ping struct{ Type Type }

// Append appends the encoded packet to b.
func (p *Ping) Append(b []byte) []byte { return appendHeader(b, p.Type, 0, 0) }

// Decode checks that the body is empty.
func (p *Ping) Decode(h Header, body []byte) error {
	p.Type = h.Type
	r := reader{typ: h.Type, rest: body}
	return r.end()
}
