package packet

// A Packet is any control packet.
type Packet interface {
	// Append appends the encoded packet to b. It does not check what it writes.
	Append(b []byte) []byte
	// Decode decodes the body of a packet with the given header, as DecodeHeader returned it. The
	// error is an *Error. Decoded payloads and binary data are parts of body.
	Decode(h Header, body []byte) error
}

// Decode decodes the body of a packet of any type.
func Decode(h Header, body []byte) (Packet, error) {
	var p Packet
	switch h.Type {
	case CONNECT:
		p = new(Connect)
	case CONNACK:
		p = new(Connack)
	case PUBLISH:
		p = new(Publish)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		p = new(PublishAck)
	case SUBSCRIBE:
		p = new(Subscribe)
	case SUBACK, UNSUBACK:
		p = new(Suback)
	case UNSUBSCRIBE:
		p = new(Unsubscribe)
	case PINGREQ, PINGRESP:
		p = new(Ping)
	case DISCONNECT:
		p = new(Disconnect)
	case AUTH:
		p = new(Auth)
	default:
		return nil, malformed(h.Type, "type 0 is reserved")
	}
	if err := p.Decode(h, body); err != nil {
		return nil, err
	}
	return p, nil
}
