package packet

import "fmt"

// A Type is the kind of a control packet, the upper half of its first byte (MQTT 5.0, 2.1.2).
type Type byte

// The control packets.
const (
	CONNECT Type = 1 + iota
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

var typeNames = [16]string{
	CONNECT: "CONNECT", CONNACK: "CONNACK", PUBLISH: "PUBLISH", PUBACK: "PUBACK",
	PUBREC: "PUBREC", PUBREL: "PUBREL", PUBCOMP: "PUBCOMP", SUBSCRIBE: "SUBSCRIBE",
	SUBACK: "SUBACK", UNSUBSCRIBE: "UNSUBSCRIBE", UNSUBACK: "UNSUBACK", PINGREQ: "PINGREQ",
	PINGRESP: "PINGRESP", DISCONNECT: "DISCONNECT", AUTH: "AUTH",
}

// String returns the name that the standard uses, in capitals.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("packet type %d", byte(t))
}

// flags returns the lower half of the first byte that the standard prescribes for every packet but
// PUBLISH [MQTT-2.1.3-1].
func (t Type) flags() byte {
	switch t {
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		return 2
	}
	return 0
}

// A Header is the fixed header of a packet: its type, its flags (the lower half of the first byte)
// and the length of its body in bytes.
type Header struct {
	Type   Type
	Flags  byte
	Length int
}

// MaxHeaderSize is the largest size of a fixed header, and MaxLength the largest Remaining Length,
// which is the size of the body, in bytes.
const (
	MaxHeaderSize = 5
	MaxLength     = 268_435_455
)

// DecodeHeader decodes the fixed header at the start of b and returns its size in bytes. If b is
// too short, size is 0 and err nil: read more and try again. DecodeHeader checks the type and the
// flags, so that a caller may trust Length before it waits for the body. The error is an *Error.
func DecodeHeader(b []byte) (h Header, size int, err error) {
	if len(b) == 0 {
		return Header{}, 0, nil
	}
	h = Header{Type: Type(b[0] >> 4), Flags: b[0] & 15}
	switch {
	case h.Type == 0:
		return h, 0, malformed(h.Type, "type 0 is reserved")
	case h.Type == PUBLISH:
		if h.Flags&6 == 6 {
			return h, 0, malformed(PUBLISH, "QoS 3") // [MQTT-3.3.1-4]
		}
		if h.Flags&14 == 8 {
			return h, 0, malformed(PUBLISH, "DUP with QoS 0") // [MQTT-3.3.1-2]
		}
	case h.Flags != h.Type.flags():
		return h, 0, malformed(h.Type, "reserved flags are wrong")
	}
	v, n := varint(b[1:])
	switch {
	case n < 0:
		return h, 0, malformed(h.Type, "length is not a shortest variable byte integer")
	case n == 0:
		return h, 0, nil
	}
	h.Length = int(v)
	return h, 1 + n, nil
}

// appendHeader appends a fixed header.
func appendHeader(b []byte, t Type, flags byte, length int) []byte {
	return appendVarint(append(b, byte(t)<<4|flags), uint32(length))
}

// sizeWithHeader returns the size of a packet whose body has the given length.
func sizeWithHeader(length int) int { return 1 + varintSize(uint32(length)) + length }

// An Error says what is wrong with a received packet. Code is the reason code with which to end the
// connection: MalformedPacket or ProtocolError.
type Error struct {
	Type   Type
	Code   ReasonCode
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%v: %v: %s", e.Type, e.Code, e.Detail) }

func malformed(t Type, detail string) *Error { return &Error{t, MalformedPacket, detail} }
func violation(t Type, detail string) *Error { return &Error{t, ProtocolError, detail} }
