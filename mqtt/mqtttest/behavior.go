package mqtttest

import "github.com/fieldgate/fieldgate/mqtt/packet"

// Behavior is what a broker offers and what it does wrong. The zero value is a good broker.
type Behavior struct {
	// Properties are those of the CONNACK: limits, server keep alive and the like. The broker obeys
	// them and records clients that do not.
	Properties packet.Properties

	DialError            error             // connections cannot be made
	Refuse               packet.ReasonCode // CONNACK with this code
	MQTT311              bool              // CONNACK as MQTT 3.1.1 has it
	Mute                 bool              // CONNECT is not answered
	CloseAfter           int               // close a connection when the client has written so many bytes
	NoPuback             bool              // PUBACK, PUBREC and PUBCOMP are not sent
	NoPingresp           bool              // PINGREQ is not answered
	NoSuback             bool              // SUBSCRIBE is not answered
	WrongID              bool              // PUBACK and PUBREC have the next identifier
	AckCode              packet.ReasonCode // of PUBACK and PUBREC
	LoseSession          bool              // sessions are forgotten at every CONNECT
	IgnoreReceiveMaximum bool              // the client's Receive Maximum is not obeyed
	// CloseAt ends the connection at a PUBLISH to a topic that matches it, FilterCloseAt at a
	// SUBSCRIBE to that filter, LargeCloseAt at a PUBLISH packet of so many bytes; before the
	// broker answers. CloseCode, if it is not 0, is that of the DISCONNECT.
	CloseAt       string
	FilterCloseAt string
	LargeCloseAt  int
	CloseCode     packet.ReasonCode
	// MaxMessages and MaxBytes are how many PUBLISH packets, and bytes of them, the broker takes of
	// a connection in any second, 0 for no limit. What exceeds them is discarded without an answer
	// and counted (Broker.Discarded), as AWS IoT Core does.
	MaxMessages, MaxBytes int
	// RefuseAt answers a PUBLISH to a topic that matches it with 0x87 and closes, as mosquitto
	// 2.0.11 does.
	RefuseAt string
	// AliasCloseAt ends the connection with CloseCode at the use of this topic alias.
	AliasCloseAt uint16
	// SubackCode answers a filter instead of its QoS.
	SubackCode map[string]packet.ReasonCode
	// RefuseWill answers a CONNECT with a will with a code, 0 for success.
	RefuseWill func(w *packet.Will) packet.ReasonCode
	// NoResume closes a connection to a session that the broker has, after the CONNACK;
	// EarlyPublish sends a PUBLISH before that instead. With StuckSession the connection continues,
	// but its messages are not answered.
	NoResume     bool
	EarlyPublish bool
	StuckSession bool
	// Greeting is written instead of an answer to CONNECT, and the connection closed.
	Greeting string
	// Deaf makes the broker stop reading after the CONNECT.
	Deaf bool
	// Authenticate is the broker's side of enhanced authentication, if a CONNECT has a method. It
	// gets the data of each CONNECT and AUTH; start says that an exchange begins. done ends it with
	// success, an error with 0x87. It must not call the broker.
	Authenticate func(start bool, data []byte) (answer []byte, done bool, err error)
}
