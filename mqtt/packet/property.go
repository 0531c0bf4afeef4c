package packet

import "math/bits"

// A PropertyID identifies a property (MQTT 5.0, 2.2.2.2).
type PropertyID byte

// The properties.
const (
	PropPayloadFormat                   PropertyID = 0x01
	PropMessageExpiry                   PropertyID = 0x02
	PropContentType                     PropertyID = 0x03
	PropResponseTopic                   PropertyID = 0x08
	PropCorrelationData                 PropertyID = 0x09
	PropSubscriptionID                  PropertyID = 0x0B
	PropSessionExpiry                   PropertyID = 0x11
	PropAssignedClientID                PropertyID = 0x12
	PropServerKeepAlive                 PropertyID = 0x13
	PropAuthenticationMethod            PropertyID = 0x15
	PropAuthenticationData              PropertyID = 0x16
	PropRequestProblemInformation       PropertyID = 0x17
	PropWillDelay                       PropertyID = 0x18
	PropRequestResponseInformation      PropertyID = 0x19
	PropResponseInformation             PropertyID = 0x1A
	PropServerReference                 PropertyID = 0x1C
	PropReasonString                    PropertyID = 0x1F
	PropReceiveMaximum                  PropertyID = 0x21
	PropTopicAliasMaximum               PropertyID = 0x22
	PropTopicAlias                      PropertyID = 0x23
	PropMaximumQoS                      PropertyID = 0x24
	PropRetainAvailable                 PropertyID = 0x25
	PropUserProperty                    PropertyID = 0x26
	PropMaximumPacketSize               PropertyID = 0x27
	PropWildcardSubscriptionAvailable   PropertyID = 0x28
	PropSubscriptionIdentifierAvailable PropertyID = 0x29
	PropSharedSubscriptionAvailable     PropertyID = 0x2A
)

// A PropertySet is a set of properties.
type PropertySet uint64

// Props returns the set of the given properties.
func Props(ids ...PropertyID) (s PropertySet) {
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

// Has reports whether id is in the set.
func (s PropertySet) Has(id PropertyID) bool { return id < 64 && s&(1<<id) != 0 }

// A UserProperty is a name and a value. Names may occur more than once, and the order counts.
type UserProperty struct{ Key, Value string }

// Properties are the properties of one packet. A field counts only if Present has its property; the
// zero value has none. Properties that the standard defines as 0 or 1 are bytes. Decoded binary
// data is a part of the body that was decoded; everything else is a copy.
type Properties struct {
	Present PropertySet

	PayloadFormat                   byte
	RequestProblemInformation       byte
	RequestResponseInformation      byte
	MaximumQoS                      byte
	RetainAvailable                 byte
	WildcardSubscriptionAvailable   byte
	SubscriptionIdentifierAvailable byte
	SharedSubscriptionAvailable     byte

	ServerKeepAlive   uint16 // seconds
	ReceiveMaximum    uint16
	TopicAliasMaximum uint16
	TopicAlias        uint16

	MessageExpiry     uint32 // seconds
	SessionExpiry     uint32 // seconds, 0xFFFFFFFF forever
	WillDelay         uint32 // seconds
	MaximumPacketSize uint32 // bytes

	ContentType          string
	ResponseTopic        string
	AssignedClientID     string
	AuthenticationMethod string
	ResponseInformation  string
	ServerReference      string
	ReasonString         string

	CorrelationData    []byte
	AuthenticationData []byte

	SubscriptionIDs []uint32
	UserProperties  []UserProperty
}

// will stands for the properties of the will, which share no table with CONNECT. 0 is not a packet
// type.
const will Type = 0

// allowed is the table 2-4 of MQTT 5.0: which packet may carry which properties.
var allowed = [16]PropertySet{
	CONNECT: Props(PropSessionExpiry, PropAuthenticationMethod, PropAuthenticationData, PropRequestProblemInformation,
		PropRequestResponseInformation, PropReceiveMaximum, PropTopicAliasMaximum, PropUserProperty, PropMaximumPacketSize),
	will: Props(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData, PropWillDelay,
		PropUserProperty),
	CONNACK: Props(PropSessionExpiry, PropAssignedClientID, PropServerKeepAlive, PropAuthenticationMethod, PropAuthenticationData,
		PropResponseInformation, PropServerReference, PropReasonString, PropReceiveMaximum, PropTopicAliasMaximum, PropMaximumQoS,
		PropRetainAvailable, PropUserProperty, PropMaximumPacketSize, PropWildcardSubscriptionAvailable,
		PropSubscriptionIdentifierAvailable, PropSharedSubscriptionAvailable),
	PUBLISH: Props(PropPayloadFormat, PropMessageExpiry, PropContentType, PropResponseTopic, PropCorrelationData, PropSubscriptionID,
		PropTopicAlias, PropUserProperty),
	PUBACK:      Props(PropReasonString, PropUserProperty),
	PUBREC:      Props(PropReasonString, PropUserProperty),
	PUBREL:      Props(PropReasonString, PropUserProperty),
	PUBCOMP:     Props(PropReasonString, PropUserProperty),
	SUBSCRIBE:   Props(PropSubscriptionID, PropUserProperty),
	SUBACK:      Props(PropReasonString, PropUserProperty),
	UNSUBSCRIBE: Props(PropUserProperty),
	UNSUBACK:    Props(PropReasonString, PropUserProperty),
	DISCONNECT:  Props(PropSessionExpiry, PropServerReference, PropReasonString, PropUserProperty),
	AUTH:        Props(PropAuthenticationMethod, PropAuthenticationData, PropReasonString, PropUserProperty),
}

// length returns the encoded length of the properties, without the length field itself.
func (p *Properties) length() (n int) {
	for s := p.Present; s != 0; s &= s - 1 {
		id := PropertyID(bits.TrailingZeros64(uint64(s)))
		switch {
		case p.byteField(id) != nil:
			n += 2
		case p.uint16Field(id) != nil:
			n += 3
		case p.uint32Field(id) != nil:
			n += 5
		case p.stringField(id) != nil:
			n += 3 + len(*p.stringField(id))
		case p.binaryField(id) != nil:
			n += 3 + len(*p.binaryField(id))
		case id == PropSubscriptionID:
			for _, v := range p.SubscriptionIDs {
				n += 1 + varintSize(v)
			}
		case id == PropUserProperty:
			for i := range p.UserProperties {
				n += 5 + len(p.UserProperties[i].Key) + len(p.UserProperties[i].Value)
			}
		}
	}
	return n
}

// size returns the encoded size of the properties with their length field.
func (p *Properties) size() int {
	n := p.length()
	return varintSize(uint32(n)) + n
}

// append appends the length field and the properties in the order of their identifiers.
func (p *Properties) append(b []byte) []byte {
	b = appendVarint(b, uint32(p.length()))
	for s := p.Present; s != 0; s &= s - 1 {
		id := PropertyID(bits.TrailingZeros64(uint64(s)))
		if f := p.byteField(id); f != nil {
			b = append(b, byte(id), *f)
		} else if f := p.uint16Field(id); f != nil {
			b = appendUint16(append(b, byte(id)), *f)
		} else if f := p.uint32Field(id); f != nil {
			b = appendUint32(append(b, byte(id)), *f)
		} else if f := p.stringField(id); f != nil {
			b = appendString(append(b, byte(id)), *f)
		} else if f := p.binaryField(id); f != nil {
			b = appendString(append(b, byte(id)), *f)
		} else if id == PropSubscriptionID {
			for _, v := range p.SubscriptionIDs {
				b = appendVarint(append(b, byte(id)), v)
			}
		} else if id == PropUserProperty {
			for i := range p.UserProperties {
				b = appendString(append(b, byte(id)), p.UserProperties[i].Key)
				b = appendString(b, p.UserProperties[i].Value)
			}
		}
	}
	return b
}

// properties decodes the properties of a packet of type t (or the will) into p, which must be zero.
func (r *reader) properties(t Type, p *Properties) {
	n := r.varint()
	if int(n) > len(r.rest) {
		r.fail(malformed(r.typ, "properties are longer than the packet"))
	}
	if n == 0 || r.err != nil {
		return
	}
	in := reader{typ: r.typ, rest: r.take(int(n))}
	for len(in.rest) > 0 {
		in.property(t, p)
	}
	if in.err != nil {
		r.fail(in.err)
	}
}

func (r *reader) property(t Type, p *Properties) {
	// Identifiers are variable byte integers, all of one byte so far.
	id := PropertyID(r.byte())
	repeated := id == PropUserProperty || id == PropSubscriptionID && t == PUBLISH
	if p.Present.Has(id) && !repeated {
		r.fail(violation(r.typ, "property "+propertyName(id)+" occurs twice"))
		return
	}
	p.Present |= 1 << id
	if f := p.byteField(id); f != nil {
		*f = r.byte()
		r.check(*f <= 1, id)
	} else if f := p.uint16Field(id); f != nil {
		*f = r.uint16()
		r.check(*f != 0 || id != PropReceiveMaximum, id)
	} else if f := p.uint32Field(id); f != nil {
		*f = r.uint32()
		r.check(*f != 0 || id != PropMaximumPacketSize, id)
	} else if f := p.stringField(id); f != nil {
		*f = r.string()
	} else if f := p.binaryField(id); f != nil {
		*f = r.binary()
	} else if id == PropSubscriptionID {
		v := r.varint()
		r.check(v != 0, id)
		p.SubscriptionIDs = append(p.SubscriptionIDs, v)
	} else if id == PropUserProperty {
		p.UserProperties = append(p.UserProperties, UserProperty{r.string(), r.string()})
	} else {
		r.fail(malformed(r.typ, "property "+propertyName(id)+" is unknown"))
	}
	// 2.2.2.2 calls a property of another packet malformed, 1.2 calls data that the protocol does
	// not allow a protocol error, and that is what brokers answer with.
	if !allowed[t].Has(id) {
		r.fail(violation(r.typ, "property "+propertyName(id)+" is not allowed"))
	}
}

// check fails if the value of a property is none that the standard knows.
func (r *reader) check(ok bool, id PropertyID) {
	if !ok {
		r.fail(violation(r.typ, "property "+propertyName(id)+" has an impossible value"))
	}
}

func propertyName(id PropertyID) string {
	const hex = "0123456789ABCDEF"
	return "0x" + string([]byte{hex[id>>4], hex[id&15]})
}
