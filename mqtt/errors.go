package mqtt

import (
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// The outcomes of messages and requests that failed. They are wrapped: test with errors.Is.
var (
	// ErrClosed means that the client has ended or is ending. A message that fails with it was
	// never sent.
	ErrClosed = errors.New("mqtt: client is closed")
	// ErrWithdrawn means that Withdraw took the message back before it was sent.
	ErrWithdrawn = errors.New("mqtt: message was withdrawn")
	// ErrUncertain means that the message was sent, or may have been, and that its outcome will not
	// be known: it may or may not have arrived.
	ErrUncertain = errors.New("mqtt: message was sent but not acknowledged")
	// ErrNotConnected means that there is no connection to do it with.
	ErrNotConnected = errors.New("mqtt: not connected")
	// ErrQueueFull means that Config.MaxQueued messages or requests are already waiting. Nothing
	// was queued.
	ErrQueueFull = errors.New("mqtt: queue is full")
	// ErrTooLarge means that the packet is larger than the broker or the protocol allows.
	ErrTooLarge = errors.New("mqtt: packet is too large")
	// ErrNotSupported means that, according to its CONNACK, the broker does not support what the
	// message or the subscription needs: the QoS, the retain flag, or a kind of subscription.
	ErrNotSupported = errors.New("mqtt: not supported by the broker")
	// ErrExpired means that the message expired (Message.Expiry) before it could be sent. Together
	// with ErrUncertain it means that the message expired after the session in which it was sent
	// was lost.
	ErrExpired = errors.New("mqtt: message expired before it was sent")
	// ErrRejectedByDisconnect means that the broker ends the connection whenever it receives this
	// message, and only this one. The client does not send it again. If the broker sent a
	// DISCONNECT with a reason code, the error also is that *ReasonError, and IsPermanent judges it
	// by the code.
	ErrRejectedByDisconnect = errors.New("mqtt: the broker ends the connection at this message")
	// ErrAckTooLate is returned by Message.Ack if the connection on which the message arrived has
	// ended. The message was not acknowledged, and the broker delivers it again.
	ErrAckTooLate = errors.New("mqtt: the message came on a connection that has ended")
	// ErrInvalid means that a message, a subscription or another argument breaks the rules of MQTT.
	// Nothing was queued or sent.
	ErrInvalid = errors.New("mqtt: invalid")
)

// A ReasonError is a reason code with which the broker refused something or ended a connection.
type ReasonError struct {
	// Packet is the packet that carried the code: CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK or
	// DISCONNECT.
	Packet         string
	Code           ReasonCode
	Reason         string // the broker's Reason String; it may be empty
	UserProperties []UserProperty
	// ServerReference names the servers to use instead, separated by spaces. It comes with the
	// codes 0x9C and 0x9D.
	ServerReference string
}

// Error implements error.
func (e *ReasonError) Error() string {
	s := fmt.Sprintf("mqtt: broker answered %s %v", e.Packet, e.Code)
	if e.Reason != "" {
		s += fmt.Sprintf(" (%q)", e.Reason)
	}
	if e.ServerReference != "" {
		s += fmt.Sprintf(", server reference %q", e.ServerReference)
	}
	return s
}

// IsPermanent reports whether trying again is likely to fail in the same way, so that the message,
// the request or the configuration has to change first. Lost connections, exceeded quotas and busy
// brokers are not permanent. Neither are nil and unknown errors.
func IsPermanent(err error) bool {
	for _, e := range []error{ErrClosed, ErrTooLarge, ErrNotSupported, ErrExpired, ErrInvalid, ErrNotMQTT5} {
		if errors.Is(err, e) {
			return true
		}
	}
	if _, ok := errors.AsType[*ProtocolMismatch](err); ok {
		return true
	}
	re, ok := errors.AsType[*ReasonError](err)
	if !ok {
		return false
	}
	switch re.Code {
	case packet.MalformedPacket, packet.ProtocolError, packet.UnsupportedProtocolVersion, packet.ClientIdentifierNotValid,
		packet.BadUserNameOrPassword, packet.NotAuthorized, packet.Banned, packet.BadAuthenticationMethod,
		packet.TopicFilterInvalid, packet.TopicNameInvalid, packet.PacketTooLarge, packet.PayloadFormatInvalid,
		packet.RetainNotSupported, packet.QoSNotSupported, packet.ServerMoved, packet.SharedSubscriptionsNotSupported,
		packet.SubscriptionIDsNotSupported, packet.WildcardSubscriptionsNotSupported:
		return true
	}
	return false
}

// errNoAck is why the client leaves a connection on which the broker acknowledges nothing.
var errNoAck = errors.New("none acknowledged")

// reasonError returns the refusal in a packet.
func reasonError(t packet.Type, code ReasonCode, p *packet.Properties) *ReasonError {
	return &ReasonError{
		Packet: t.String(), Code: code, Reason: p.ReasonString,
		UserProperties: p.UserProperties, ServerReference: p.ServerReference,
	}
}

// reasonCode returns the broker's code in err, or 0.
func reasonCode(err error) ReasonCode {
	if e, ok := errors.AsType[*ReasonError](err); ok {
		return e.Code
	}
	return 0
}

// A breach is a reason to leave a connection with a DISCONNECT: something that the broker must not
// do, or something after which the client cannot continue.
type breach struct {
	code ReasonCode
	err  error
}

func (b *breach) Error() string {
	return fmt.Sprintf("mqtt: left the broker with %v: %v", b.code, b.err)
}
func (b *breach) Unwrap() error { return b.err }

func violation(format string, args ...any) error {
	return &breach{packet.ProtocolError, fmt.Errorf(format, args...)}
}
