package packet

// Publish is a PUBLISH packet (MQTT 5.0, 3.3).
type Publish struct {
	Dup        bool
	QoS        byte
	Retain     bool
	Topic      string
	ID         uint16 // with QoS 1 and 2
	Properties Properties
	Payload    []byte // of a decoded packet: a part of the body
}

func (p *Publish) length() int {
	n := 2 + len(p.Topic) + p.Properties.size() + len(p.Payload)
	if p.QoS > 0 {
		n += 2
	}
	return n
}

// Size returns the size of the encoded packet in bytes. It may be more than the protocol allows.
func (p *Publish) Size() int { return sizeWithHeader(p.length()) }

// Append appends the encoded packet to b.
func (p *Publish) Append(b []byte) []byte {
	flags := p.QoS << 1
	if p.Dup {
		flags |= 8
	}
	if p.Retain {
		flags |= 1
	}
	b = appendHeader(b, PUBLISH, flags, p.length())
	b = appendString(b, p.Topic)
	if p.QoS > 0 {
		b = appendUint16(b, p.ID)
	}
	b = p.Properties.append(b)
	return append(b, p.Payload...)
}

// Decode decodes the body of a packet with the given header. Payload, correlation data and the like
// are parts of body, which must not change while they are in use.
func (p *Publish) Decode(h Header, body []byte) error {
	*p = Publish{Dup: h.Flags&8 != 0, QoS: h.Flags >> 1 & 3, Retain: h.Flags&1 != 0}
	r := reader{typ: PUBLISH, rest: body}
	p.Topic = r.string()
	if p.Topic != "" && !ValidTopic(p.Topic) { // [MQTT-3.3.2-2]; an alias may stand for an empty one
		r.fail(malformed(PUBLISH, "not a topic name"))
	}
	if p.QoS > 0 {
		p.ID = r.id()
	}
	r.properties(PUBLISH, &p.Properties)
	if p.Properties.Present.Has(PropResponseTopic) && !ValidTopic(p.Properties.ResponseTopic) { // [MQTT-3.3.2-14]
		r.fail(violation(PUBLISH, "response topic is not a topic name"))
	}
	p.Payload, r.rest = r.rest, nil
	return r.end()
}

// A PublishAck is a PUBACK, PUBREC, PUBREL or PUBCOMP packet (MQTT 5.0, 3.4 to 3.7); Type says
// which.
type PublishAck struct {
	Type       Type
	ID         uint16
	Code       ReasonCode
	Properties Properties
}

func (a *PublishAck) length() int {
	switch {
	case a.Properties.Present != 0:
		return 3 + a.Properties.size()
	case a.Code != Success:
		return 3
	}
	return 2
}

// Append appends the encoded packet to b, in its shortest form.
func (a *PublishAck) Append(b []byte) []byte {
	n := a.length()
	b = appendHeader(b, a.Type, a.Type.flags(), n)
	b = appendUint16(b, a.ID)
	if n > 2 {
		b = append(b, byte(a.Code))
	}
	if n > 3 {
		b = a.Properties.append(b)
	}
	return b
}

// Decode decodes the body of a packet with the given header.
func (a *PublishAck) Decode(h Header, body []byte) error {
	*a = PublishAck{Type: h.Type}
	r := reader{typ: h.Type, rest: body}
	a.ID = r.id()
	if len(r.rest) > 0 {
		a.Code = r.code()
	}
	if len(r.rest) > 0 {
		r.properties(h.Type, &a.Properties)
	}
	return r.end()
}
