package mqtttest

import "github.com/fieldgate/fieldgate/mqtt/packet"

// Behavior is what a broker offers and what it does wrong. The zero value is a broker that
// obeys the standard; a zero field changes nothing.
type Behavior struct {
	// Properties are those of the CONNACK: limits, Server Keep Alive and the like. The broker obeys
	// them and records clients that do not.
	Properties packet.Properties

	DialError            error             // Dial returns it
	Refuse               packet.ReasonCode // the code of every CONNACK
	MQTT311              bool              // CONNACK as MQTT 3.1.1 has it
	Mute                 bool              // CONNECT is not answered
	CloseAfter           int               // a connection ends when the client has written so many bytes
	NoPuback             bool              // PUBACK, PUBREC and PUBCOMP are not sent
	NoPingresp           bool              // PINGREQ is not answered
	NoSuback             bool              // SUBSCRIBE is not answered
	WrongID              bool              // PUBACK and PUBREC have the wrong identifier, the next one
	AckCode              packet.ReasonCode // the code of PUBACK and PUBREC
	LoseSession          bool              // sessions are forgotten at every CONNECT
	IgnoreReceiveMaximum bool              // the client's Receive Maximum is not obeyed
	// These end the connection before the broker answers: CloseAt at a PUBLISH to a topic that
	// matches this filter, FilterCloseAt at a SUBSCRIBE to this filter, LargeCloseAt at a PUBLISH
	// packet of so many bytes or more. If CloseCode is not 0, the broker first sends a DISCONNECT
	// with it.
	CloseAt       string
	FilterCloseAt string
	LargeCloseAt  int
	CloseCode     packet.ReasonCode
	// MaxMessages and MaxBytes are how many PUBLISH packets, and bytes of them, the broker takes of
	// a connection in any second, 0 for no limit. What exceeds them is discarded without an answer
	// and counted (Broker.Discarded), as AWS IoT Core does.
	MaxMessages, MaxBytes int
	// MaxFilters is how many filters a SUBSCRIBE may have, 0 for no limit. One with more ends the
	// connection and is a violation, as with AWS IoT Core.
	MaxFilters int
	// RefuseAt is a filter: the broker answers a PUBLISH to a topic that matches it with 0x87 and
	// then closes the connection, as mosquitto 2.0.11 does.
	RefuseAt string
	// AliasCloseAt ends the connection with CloseCode when the client uses this topic alias.
	AliasCloseAt uint16
	// SubackCode has codes for the SUBACK, by filter, instead of the granted QoS.
	SubackCode map[string]packet.ReasonCode
	// RefuseWill returns the code of the CONNACK for a CONNECT with the will w, 0 to accept it. It
	// must not call the broker.
	RefuseWill func(w *packet.Will) packet.ReasonCode
	// These apply to a connection that resumes a session. NoResume closes it after the CONNACK.
	// EarlyPublish sends a PUBLISH in place of the CONNACK and closes it. StuckSession keeps it
	// open, but leaves its messages without an answer.
	NoResume     bool
	EarlyPublish bool
	StuckSession bool
	// Greeting is written instead of an answer to CONNECT; then the connection is closed.
	Greeting string
	// Deaf makes the broker stop reading after the CONNECT.
	Deaf bool
	// Authenticate is the broker's side of enhanced authentication, for a CONNECT with an
	// authentication method. It gets the data of each CONNECT and AUTH; start says that an exchange
	// begins. answer goes to the client; done ends the exchange with success, an error ends it with
	// 0x87. It must not call the broker.
	Authenticate func(start bool, data []byte) (answer []byte, done bool, err error)
}
