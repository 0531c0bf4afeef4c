package packet

import "fmt"

// A ReasonCode is the result of an operation (MQTT 5.0, 2.4). Codes below 0x80 are successes, the
// others failures.
type ReasonCode byte

// The reason codes. 0x00 is Success, NormalDisconnection and, in a SUBACK, the granted QoS 0.
const (
	Success                           ReasonCode = 0x00
	NormalDisconnection               ReasonCode = 0x00
	GrantedQoS1                       ReasonCode = 0x01
	GrantedQoS2                       ReasonCode = 0x02
	DisconnectWithWill                ReasonCode = 0x04
	NoMatchingSubscribers             ReasonCode = 0x10
	NoSubscriptionExisted             ReasonCode = 0x11
	ContinueAuthentication            ReasonCode = 0x18
	Reauthenticate                    ReasonCode = 0x19
	UnspecifiedError                  ReasonCode = 0x80
	MalformedPacket                   ReasonCode = 0x81
	ProtocolError                     ReasonCode = 0x82
	ImplementationSpecificError       ReasonCode = 0x83
	UnsupportedProtocolVersion        ReasonCode = 0x84
	ClientIdentifierNotValid          ReasonCode = 0x85
	BadUserNameOrPassword             ReasonCode = 0x86
	NotAuthorized                     ReasonCode = 0x87
	ServerUnavailable                 ReasonCode = 0x88
	ServerBusy                        ReasonCode = 0x89
	Banned                            ReasonCode = 0x8A
	ServerShuttingDown                ReasonCode = 0x8B
	BadAuthenticationMethod           ReasonCode = 0x8C
	KeepAliveTimeout                  ReasonCode = 0x8D
	SessionTakenOver                  ReasonCode = 0x8E
	TopicFilterInvalid                ReasonCode = 0x8F
	TopicNameInvalid                  ReasonCode = 0x90
	PacketIdentifierInUse             ReasonCode = 0x91
	PacketIdentifierNotFound          ReasonCode = 0x92
	ReceiveMaximumExceeded            ReasonCode = 0x93
	TopicAliasInvalid                 ReasonCode = 0x94
	PacketTooLarge                    ReasonCode = 0x95
	MessageRateTooHigh                ReasonCode = 0x96
	QuotaExceeded                     ReasonCode = 0x97
	AdministrativeAction              ReasonCode = 0x98
	PayloadFormatInvalid              ReasonCode = 0x99
	RetainNotSupported                ReasonCode = 0x9A
	QoSNotSupported                   ReasonCode = 0x9B
	UseAnotherServer                  ReasonCode = 0x9C
	ServerMoved                       ReasonCode = 0x9D
	SharedSubscriptionsNotSupported   ReasonCode = 0x9E
	ConnectionRateExceeded            ReasonCode = 0x9F
	MaximumConnectTime                ReasonCode = 0xA0
	SubscriptionIDsNotSupported       ReasonCode = 0xA1
	WildcardSubscriptionsNotSupported ReasonCode = 0xA2
)

// reason describes a code: its name and the packets that may carry it (MQTT 5.0, table 2-6 and the
// tables of 3.2.2.2 to 3.15.2.1).
type reason struct {
	name    string
	packets uint16
}

func in(types ...Type) (set uint16) {
	for _, t := range types {
		set |= 1 << t
	}
	return set
}

var reasons = [256]reason{
	0x00: {"success", in(CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH)},
	0x01: {"granted QoS 1", in(SUBACK)},
	0x02: {"granted QoS 2", in(SUBACK)},
	0x04: {"disconnect with will message", in(DISCONNECT)},
	0x10: {"no matching subscribers", in(PUBACK, PUBREC)},
	0x11: {"no subscription existed", in(UNSUBACK)},
	0x18: {"continue authentication", in(AUTH)},
	0x19: {"re-authenticate", in(AUTH)},
	0x80: {"unspecified error", in(CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT)},
	0x81: {"malformed packet", in(CONNACK, DISCONNECT)},
	0x82: {"protocol error", in(CONNACK, DISCONNECT)},
	0x83: {"implementation specific error", in(CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT)},
	0x84: {"unsupported protocol version", in(CONNACK)},
	0x85: {"client identifier not valid", in(CONNACK)},
	0x86: {"bad user name or password", in(CONNACK)},
	0x87: {"not authorized", in(CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT)},
	0x88: {"server unavailable", in(CONNACK)},
	0x89: {"server busy", in(CONNACK, DISCONNECT)},
	0x8A: {"banned", in(CONNACK)},
	0x8B: {"server shutting down", in(DISCONNECT)},
	0x8C: {"bad authentication method", in(CONNACK, DISCONNECT)},
	0x8D: {"keep alive timeout", in(DISCONNECT)},
	0x8E: {"session taken over", in(DISCONNECT)},
	0x8F: {"topic filter invalid", in(SUBACK, UNSUBACK, DISCONNECT)},
	0x90: {"topic name invalid", in(CONNACK, PUBACK, PUBREC, DISCONNECT)},
	0x91: {"packet identifier in use", in(PUBACK, PUBREC, SUBACK, UNSUBACK)},
	0x92: {"packet identifier not found", in(PUBREL, PUBCOMP)},
	0x93: {"receive maximum exceeded", in(DISCONNECT)},
	0x94: {"topic alias invalid", in(DISCONNECT)},
	0x95: {"packet too large", in(CONNACK, DISCONNECT)},
	0x96: {"message rate too high", in(DISCONNECT)},
	0x97: {"quota exceeded", in(CONNACK, PUBACK, PUBREC, SUBACK, DISCONNECT)},
	0x98: {"administrative action", in(DISCONNECT)},
	0x99: {"payload format invalid", in(CONNACK, PUBACK, PUBREC, DISCONNECT)},
	0x9A: {"retain not supported", in(CONNACK, DISCONNECT)},
	0x9B: {"QoS not supported", in(CONNACK, DISCONNECT)},
	0x9C: {"use another server", in(CONNACK, DISCONNECT)},
	0x9D: {"server moved", in(CONNACK, DISCONNECT)},
	0x9E: {"shared subscriptions not supported", in(SUBACK, DISCONNECT)},
	0x9F: {"connection rate exceeded", in(CONNACK, DISCONNECT)},
	0xA0: {"maximum connect time", in(DISCONNECT)},
	0xA1: {"subscription identifiers not supported", in(SUBACK, DISCONNECT)},
	0xA2: {"wildcard subscriptions not supported", in(SUBACK, DISCONNECT)},
}

// In reports whether the standard lists c for packets of type t.
func (c ReasonCode) In(t Type) bool { return reasons[c].packets&(1<<t) != 0 }

// Failed reports whether c is 0x80 or greater.
func (c ReasonCode) Failed() bool { return c >= 0x80 }

// String returns the hexadecimal code and its name.
func (c ReasonCode) String() string {
	if n := reasons[c].name; n != "" {
		return fmt.Sprintf("0x%02X %s", byte(c), n)
	}
	return fmt.Sprintf("0x%02X", byte(c))
}
