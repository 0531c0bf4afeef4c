package packet

// A Packet is any control packet.
type Packet interface {
	// Append appends the encoded packet to b. It does not check what it writes.
	Append(b []byte) []byte
	// Decode decodes a body of h.Length bytes; h is what DecodeHeader returned. The error is an
	// *Error. Payloads and binary data of the packet are parts of body, which must not change while
	// they are in use; strings are copies.
	Decode(h Header, body []byte) error
}

// Decode decodes the body of a packet of any type, as Packet.Decode does.
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
