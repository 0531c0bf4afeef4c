package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// vectors are packets as the standard writes them, worked out by hand.
var vectors = []struct {
	name string
	hex  string
	want Packet
}{
	{"CONNECT minimal", "10 0d 0004 4d515454 05 00 0000 00 0000", &Connect{}},
	{"CONNECT clean start", "10 0f 0004 4d515454 05 02 003c 00 0002 6131", &Connect{CleanStart: true, KeepAlive: 60, ClientID: "a1"}},
	{
		"CONNECT with everything",
		"10 27 0004 4d515454 05 ee 000a 08 11 00000e10 21 0014 0001 63 02 01 01 0001 77 0002 6869 0001 75 0002 7077",
		&Connect{
			CleanStart: true, KeepAlive: 10, ClientID: "c", HasUsername: true, Username: "u", HasPassword: true, Password: []byte("pw"),
			Will: &Will{QoS: 1, Retain: true, Topic: "w", Payload: []byte("hi"), Properties: Properties{
				Present: Props(PropPayloadFormat), PayloadFormat: 1,
			}},
			Properties: Properties{Present: Props(PropSessionExpiry, PropReceiveMaximum), SessionExpiry: 3600, ReceiveMaximum: 20},
		},
	},
	{"CONNACK", "20 03 00 00 00", &Connack{}},
	{"CONNACK resumed", "20 06 01 00 03 21 000a", &Connack{SessionPresent: true, Properties: Properties{
		Present: Props(PropReceiveMaximum), ReceiveMaximum: 10,
	}}},
	{"CONNACK refused", "20 03 00 87 00", &Connack{Code: NotAuthorized}},
	{"PUBLISH QoS 0", "30 06 0003 612f62 00", &Publish{Topic: "a/b", Payload: []byte{}}},
	{"PUBLISH QoS 1", "3b 0a 0003 612f62 000a 00 6869", &Publish{Dup: true, QoS: 1, Retain: true, Topic: "a/b", ID: 10, Payload: []byte("hi")}},
	{"PUBLISH QoS 2", "34 13 0001 61 ffff 0c 02 0000003c 26 0001 6b 0001 76 00", &Publish{
		QoS: 2, Topic: "a", ID: 65535, Payload: []byte{0}, Properties: Properties{
			Present: Props(PropMessageExpiry, PropUserProperty), MessageExpiry: 60, UserProperties: []UserProperty{{"k", "v"}},
		},
	}},
	{"PUBLISH for two subscriptions", "30 09 0001 61 05 0b 01 0b ac02", &Publish{Topic: "a", Payload: []byte{}, Properties: Properties{
		Present: Props(PropSubscriptionID), SubscriptionIDs: []uint32{1, 300},
	}}},
	{"PUBLISH with BOM", "30 08 0004 efbbbf61 00 61", &Publish{Topic: "\ufeffa", Payload: []byte("a")}}, // [MQTT-1.5.4-3]
	{"PUBACK", "40 02 0001", &PublishAck{Type: PUBACK, ID: 1}},
	{"PUBACK without subscribers", "40 03 0001 10", &PublishAck{Type: PUBACK, ID: 1, Code: NoMatchingSubscribers}},
	{"PUBREC refused", "50 09 0001 97 05 1f 0002 6e6f", &PublishAck{Type: PUBREC, ID: 1, Code: QuotaExceeded, Properties: Properties{
		Present: Props(PropReasonString), ReasonString: "no",
	}}},
	{"PUBREL", "62 02 1234", &PublishAck{Type: PUBREL, ID: 0x1234}},
	{"PUBCOMP not found", "70 03 1234 92", &PublishAck{Type: PUBCOMP, ID: 0x1234, Code: PacketIdentifierNotFound}},
	{"SUBSCRIBE", "82 0e 000a 00 0003 612f23 2e 0002 2b2f 01", &Subscribe{ID: 10, Subscriptions: []Subscription{
		{Filter: "a/#", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2}, {Filter: "+/", QoS: 1},
	}}},
	{"SUBACK", "90 05 000a 00 01 80", &Suback{Type: SUBACK, ID: 10, Codes: []ReasonCode{1, 0x80}}},
	{"UNSUBSCRIBE", "a2 08 000b 00 0003 612f23", &Unsubscribe{ID: 11, Filters: []string{"a/#"}}},
	{"UNSUBACK", "b0 04 000b 00 11", &Suback{Type: UNSUBACK, ID: 11, Codes: []ReasonCode{0x11}}},
	{"PINGREQ", "c0 00", &Ping{Type: PINGREQ}},
	{"PINGRESP", "d0 00", &Ping{Type: PINGRESP}},
	{"DISCONNECT", "e0 00", &Disconnect{}},
	{"DISCONNECT with will", "e0 01 04", &Disconnect{Code: DisconnectWithWill}},
	{"DISCONNECT and expire", "e0 07 00 05 11 00000000", &Disconnect{Properties: Properties{Present: Props(PropSessionExpiry)}}},
	{"AUTH", "f0 06 18 04 15 0001 6d", &Auth{Code: ContinueAuthentication, Properties: Properties{
		Present: Props(PropAuthenticationMethod), AuthenticationMethod: "m",
	}}},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode decodes exactly one packet.
func decode(b []byte) (Packet, error) {
	h, size, err := DecodeHeader(b)
	if err != nil {
		return nil, err
	}
	if size == 0 || len(b) != size+h.Length {
		return nil, errors.New("not one whole packet")
	}
	return Decode(h, b[size:])
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			b := unhex(t, v.hex)
			got, err := decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v.want) {
				t.Errorf("want %+v\ngot  %+v", v.want, got)
			}
			if again := v.want.Append(nil); !bytes.Equal(again, b) {
				t.Errorf("want % x\ngot  % x", b, again)
			}
			if s, ok := v.want.(interface{ Size() int }); ok && s.Size() != len(b) {
				t.Errorf("size %d, want %d", s.Size(), len(b))
			}
		})
	}
}

// TestAllProperties checks every property of every packet both ways, and that nothing else is let
// through.
func TestAllProperties(t *testing.T) {
	all := Properties{
		PayloadFormat: 1, RequestProblemInformation: 1, RequestResponseInformation: 1, MaximumQoS: 1, RetainAvailable: 1,
		WildcardSubscriptionAvailable: 1, SubscriptionIdentifierAvailable: 1, SharedSubscriptionAvailable: 1,
		ServerKeepAlive: 60, ReceiveMaximum: 20, TopicAliasMaximum: 3, TopicAlias: 2,
		MessageExpiry: 3600, SessionExpiry: 86400, WillDelay: 5, MaximumPacketSize: 1 << 20,
		ContentType: "text/plain", ResponseTopic: "r/1", AssignedClientID: "c1", AuthenticationMethod: "m",
		ResponseInformation: "ri", ServerReference: "other:1883", ReasonString: "why",
		CorrelationData: []byte{1, 2}, AuthenticationData: []byte{3},
		SubscriptionIDs: []uint32{300}, UserProperties: []UserProperty{{"k", "v"}, {"k", ""}},
	}
	carriers := map[Type]func(Properties) Packet{
		CONNECT: func(p Properties) Packet { return &Connect{Properties: p} },
		CONNACK: func(p Properties) Packet { return &Connack{Properties: p} },
		PUBLISH: func(p Properties) Packet { return &Publish{Topic: "t", Properties: p} },
		PUBACK:  func(p Properties) Packet { return &PublishAck{Type: PUBACK, ID: 1, Properties: p} },
		SUBSCRIBE: func(p Properties) Packet {
			return &Subscribe{ID: 1, Subscriptions: make([]Subscription, 1), Properties: p}
		},
		SUBACK: func(p Properties) Packet {
			return &Suback{Type: SUBACK, ID: 1, Codes: make([]ReasonCode, 1), Properties: p}
		},
		UNSUBSCRIBE: func(p Properties) Packet { return &Unsubscribe{ID: 1, Filters: make([]string, 1), Properties: p} },
		DISCONNECT:  func(p Properties) Packet { return &Disconnect{Properties: p} },
		AUTH:        func(p Properties) Packet { return &Auth{Properties: p} },
		will:        func(p Properties) Packet { return &Connect{Will: &Will{Topic: "t", Properties: p}} },
	}
	for typ, carry := range carriers {
		for id := PropPayloadFormat; id <= PropSharedSubscriptionAvailable; id++ {
			p := all
			p.Present = Props(id)
			if p.length() == 0 {
				continue // no property
			}
			if id == PropAuthenticationData && typ != CONNACK {
				p.Present |= Props(PropAuthenticationMethod)
			}
			b := carry(p).Append(nil)
			got, err := decode(b)
			if !allowed[typ].Has(id) {
				if e, ok := errors.AsType[*Error](err); !ok || e.Code != ProtocolError {
					t.Errorf("%v with property 0x%02x: error %v, want a protocol error", typ, byte(id), err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v with property 0x%02x: %v", typ, byte(id), err)
				continue
			}
			if again := got.Append(nil); !bytes.Equal(again, b) {
				t.Errorf("%v with property 0x%02x:\nwant % x\ngot  % x", typ, byte(id), b, again)
			}
		}
	}
}

// TestTruncated cuts every vector at every byte, with the length in the header made to fit: nothing
// may be accepted that is not the short form of a packet, and nothing may panic.
func TestTruncated(t *testing.T) {
	for _, v := range vectors {
		b := unhex(t, v.hex)
		h, size, err := DecodeHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		for n := range h.Length {
			p, err := Decode(h, b[size:size+n])
			if err == nil {
				// Payloads and lists may end anywhere, acknowledgements have short forms: then it
				// is the same packet again.
				again, err := decode(p.Append(nil))
				if err != nil || !reflect.DeepEqual(p, again) {
					t.Errorf("%s cut at %d of %d: decoded as %+v, then %+v, %v", v.name, n, h.Length, p, again, err)
				}
			}
		}
		for n := range size {
			if _, got, err := DecodeHeader(b[:n]); got != 0 || err != nil {
				t.Errorf("%s: header cut at %d: size %d, %v", v.name, n, got, err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, v := range []struct {
		name string
		hex  string
		code ReasonCode
	}{
		{"type 0", "00 00", MalformedPacket},
		{"length of 5 bytes", "d0 80 80 80 80 01", MalformedPacket},
		{"length not minimal", "d0 80 00", MalformedPacket},
		{"QoS 3", "36 03 0001 61", MalformedPacket},
		{"DUP with QoS 0", "38 04 0001 61 00", MalformedPacket},
		{"PUBACK flags", "42 02 0001", MalformedPacket},
		{"PUBREL flags", "60 02 0001", MalformedPacket},
		{"SUBACK flags", "91 04 0001 00 00", MalformedPacket},
		{"PINGRESP with body", "d0 01 00", MalformedPacket},
		{"DISCONNECT flags", "e1 00", MalformedPacket},
		{"CONNACK reserved flags", "20 03 02 00 00", MalformedPacket},
		{"CONNACK refused with session", "20 03 01 87 00", ProtocolError},
		{"CONNACK code", "20 03 00 01 00", ProtocolError},
		{"CONNACK property twice", "20 09 00 00 06 21 0001 21 0001", ProtocolError},
		{"CONNACK receive maximum 0", "20 06 00 00 03 21 0000", ProtocolError},
		{"CONNACK maximum packet size 0", "20 08 00 00 05 27 00000000", ProtocolError},
		{"CONNACK maximum QoS 2", "20 05 00 00 02 24 02", ProtocolError},
		{"CONNACK too long", "20 04 00 00 00 00", MalformedPacket},
		{"property length beyond packet", "20 03 00 00 05", MalformedPacket},
		{"unknown property", "20 05 00 00 02 7f 00", MalformedPacket},
		{"property cut off by its length", "20 06 00 00 02 21 0001", MalformedPacket},
		{"topic with NUL", "30 06 0003 610061 00", MalformedPacket},
		{"topic with surrogate", "30 06 0003 eda080 00", MalformedPacket},
		{"topic with wildcard", "30 06 0003 612f23 00", MalformedPacket},
		{"topic with control character", "30 06 0003 610161 00", MalformedPacket},
		{"PUBLISH id 0", "32 06 0001 61 0000 00", ProtocolError},
		{"PUBLISH payload format 2", "30 06 0001 61 02 01 02", ProtocolError},
		{"PUBLISH subscription identifier 0", "30 06 0001 61 02 0b 00", ProtocolError},
		{"PUBLISH response topic with wildcard", "30 08 0001 61 04 08 0001 2b", ProtocolError},
		{"user property with bad value", "30 0b 0001 61 07 26 0001 61 0001 ff", MalformedPacket},
		{"PUBACK code", "40 03 0001 01", ProtocolError},
		{"PUBACK id 0", "40 02 0000", ProtocolError},
		{"PUBCOMP code", "70 03 0001 80", ProtocolError},
		{"SUBACK code", "90 04 0001 00 03", ProtocolError},
		{"UNSUBACK code", "b0 04 0001 00 01", ProtocolError},
		{"DISCONNECT code", "e0 01 01", ProtocolError},
		{"AUTH code", "f0 01 01", ProtocolError},
		{"AUTH data without method", "f0 06 18 04 16 0001 6d", ProtocolError},
		{"CONNECT of MQTT 3.1.1", "10 0c 0004 4d515454 04 00 0000 0000", UnsupportedProtocolVersion},
		{"CONNECT reserved flag", "10 0d 0004 4d515454 05 01 0000 00 0000", MalformedPacket},
		{"CONNECT will QoS without will", "10 0d 0004 4d515454 05 08 0000 00 0000", MalformedPacket},
		{"SUBSCRIBE without filter", "82 03 0001 00", ProtocolError},
		{"SUBSCRIBE reserved options", "82 07 0001 00 0001 61 40", MalformedPacket},
		{"UNSUBSCRIBE without filter", "a2 03 0001 00", ProtocolError},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := decode(unhex(t, v.hex))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != v.code {
				t.Errorf("error %v, want code %v", err, v.code)
			}
		})
	}
}

func TestReasonCodes(t *testing.T) {
	if got := NotAuthorized.String(); got != "0x87 not authorized" {
		t.Error(got)
	}
	if got := ReasonCode(0xFF).String(); got != "0xFF" {
		t.Error(got)
	}
	// Table 2-6 of the standard, counted.
	want := map[Type]int{CONNACK: 22, PUBACK: 9, PUBREC: 9, PUBREL: 2, PUBCOMP: 2, SUBACK: 12, UNSUBACK: 7, DISCONNECT: 30, AUTH: 3}
	for typ, n := range want {
		got := 0
		for c := range 256 {
			if ReasonCode(c).In(typ) {
				got++
			}
		}
		if got != n {
			t.Errorf("%v has %d codes, want %d", typ, got, n)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	p := Publish{QoS: 1, ID: 7, Topic: "a/b/c", Payload: make([]byte, 256), Properties: Properties{
		Present: Props(PropMessageExpiry, PropUserProperty), MessageExpiry: 60, UserProperties: []UserProperty{{"k", "v"}},
	}}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = p.Append(buf[:0]) }); n != 0 {
		t.Errorf("PUBLISH: %v allocations", n)
	}
	body := []byte{0, 1}
	var a PublishAck
	if n := testing.AllocsPerRun(100, func() {
		if err := a.Decode(Header{Type: PUBACK, Length: 2}, body); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("PUBACK: %v allocations", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	p := Publish{QoS: 1, ID: 7, Topic: "fieldgate/plant7/telemetry/hall", Payload: make([]byte, 256)}
	buf := p.Append(nil)
	h, size, _ := DecodeHeader(buf)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = p.Append(buf[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var q Publish
		for b.Loop() {
			if err := q.Decode(h, buf[size:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
