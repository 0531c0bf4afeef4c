package packet

// Subscribe is a SUBSCRIBE packet (MQTT 5.0, 3.8).
type Subscribe struct {
	ID            uint16
	Subscriptions []Subscription
	Properties    Properties
}

// A Subscription is a topic filter and its options.
type Subscription struct {
	Filter            string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    RetainHandling
}

// RetainHandling determines when the broker sends the retained messages that match a subscription
// (MQTT 5.0, 3.8.3.1).
type RetainHandling byte

// The values of RetainHandling.
const (
	RetainSend      RetainHandling = 0 // at every SUBSCRIBE
	RetainSendIfNew RetainHandling = 1 // only if the subscription did not exist before
	RetainDoNotSend RetainHandling = 2 // never
)

func (s *Subscribe) length() int {
	n := 2 + s.Properties.size()
	for i := range s.Subscriptions {
		n += 3 + len(s.Subscriptions[i].Filter)
	}
	return n
}

// Size returns the size of the encoded packet.
func (s *Subscribe) Size() int { return sizeWithHeader(s.length()) }

// Append appends the encoded packet to b.
func (s *Subscribe) Append(b []byte) []byte {
	b = appendHeader(b, SUBSCRIBE, SUBSCRIBE.flags(), s.length())
	b = s.Properties.append(appendUint16(b, s.ID))
	for _, f := range s.Subscriptions {
		options := f.QoS | byte(f.RetainHandling)<<4
		if f.NoLocal {
			options |= 0x04
		}
		if f.RetainAsPublished {
			options |= 0x08
		}
		b = append(appendString(b, f.Filter), options)
	}
	return b
}

// Decode decodes the body of a packet.
func (s *Subscribe) Decode(_ Header, body []byte) error {
	*s = Subscribe{}
	r := reader{typ: SUBSCRIBE, rest: body}
	s.ID = r.id()
	r.properties(SUBSCRIBE, &s.Properties)
	for len(r.rest) > 0 {
		f := Subscription{Filter: r.string()}
		o := r.byte()
		if o&0xC0 != 0 || o&3 == 3 || o&0x30 == 0x30 {
			r.fail(malformed(SUBSCRIBE, "subscription options are wrong"))
		}
		f.QoS, f.NoLocal, f.RetainAsPublished, f.RetainHandling = o&3, o&4 != 0, o&8 != 0, RetainHandling(o>>4&3)
		s.Subscriptions = append(s.Subscriptions, f)
	}
	if len(s.Subscriptions) == 0 {
		r.fail(violation(SUBSCRIBE, "no topic filter")) // [MQTT-3.8.3-2]
	}
	return r.end()
}

// Unsubscribe is an UNSUBSCRIBE packet (MQTT 5.0, 3.10).
type Unsubscribe struct {
	ID         uint16
	Filters    []string
	Properties Properties
}

func (u *Unsubscribe) length() int {
	n := 2 + u.Properties.size()
	for _, f := range u.Filters {
		n += 2 + len(f)
	}
	return n
}

// Size returns the size of the encoded packet.
func (u *Unsubscribe) Size() int { return sizeWithHeader(u.length()) }

// Append appends the encoded packet to b.
func (u *Unsubscribe) Append(b []byte) []byte {
	b = appendHeader(b, UNSUBSCRIBE, UNSUBSCRIBE.flags(), u.length())
	b = u.Properties.append(appendUint16(b, u.ID))
	for _, f := range u.Filters {
		b = appendString(b, f)
	}
	return b
}

// Decode decodes the body of a packet.
func (u *Unsubscribe) Decode(_ Header, body []byte) error {
	*u = Unsubscribe{}
	r := reader{typ: UNSUBSCRIBE, rest: body}
	u.ID = r.id()
	r.properties(UNSUBSCRIBE, &u.Properties)
	for len(r.rest) > 0 {
		u.Filters = append(u.Filters, r.string())
	}
	if len(u.Filters) == 0 {
		r.fail(violation(UNSUBSCRIBE, "no topic filter")) // [MQTT-3.10.3-2]
	}
	return r.end()
}

// A Suback is a SUBACK or UNSUBACK packet (MQTT 5.0, 3.9 and 3.11); Type says which. Decode does
// not know the request: the caller must check that there are as many codes as the request had
// filters.
type Suback struct {
	Type       Type
	ID         uint16
	Codes      []ReasonCode
	Properties Properties
}

// Append appends the encoded packet to b.
func (s *Suback) Append(b []byte) []byte {
	b = appendHeader(b, s.Type, 0, 2+s.Properties.size()+len(s.Codes))
	b = s.Properties.append(appendUint16(b, s.ID))
	for _, c := range s.Codes {
		b = append(b, byte(c))
	}
	return b
}

// Decode decodes the body of a packet with the given header.
func (s *Suback) Decode(h Header, body []byte) error {
	*s = Suback{Type: h.Type}
	r := reader{typ: h.Type, rest: body}
	s.ID = r.id()
	r.properties(h.Type, &s.Properties)
	for len(r.rest) > 0 {
		s.Codes = append(s.Codes, r.code())
	}
	return r.end()
}
