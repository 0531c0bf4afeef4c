package mqtt

import (
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Errors that report the outcome of a message or a request.
var (
	// ErrClosed means that the client has ended and that the message was never sent.
	ErrClosed = errors.New("mqtt: client is closed")
	// ErrUncertain means that the message was sent; whether it arrived cannot be known.
	ErrUncertain = errors.New("mqtt: message was sent but not acknowledged")
	// ErrQueueFull means that Config.MaxQueued messages are already waiting; nothing was queued.
	ErrQueueFull = errors.New("mqtt: queue is full")
	// ErrTooLarge means that the packet is larger than the broker or the protocol allows.
	ErrTooLarge = errors.New("mqtt: packet is too large")
	// ErrNotSupported means that, according to its CONNACK, the broker does not support what the
	// message or the subscription needs: the QoS, the retain flag, or a kind of subscription.
	ErrNotSupported = errors.New("mqtt: not supported by the broker")
	// ErrExpired means that the message expired (Message.Expiry) before it could be sent.
	ErrExpired = errors.New("mqtt: message expired before it was sent")
	// ErrRejectedByDisconnect means that the broker ends the connection each time at this message
	// and at no other; it is not sent again. The error is also a *ReasonError if the broker's
	// DISCONNECT had a code.
	ErrRejectedByDisconnect = errors.New("mqtt: the broker ends the connection at this message")
	// ErrAckTooLate means that a message was not acknowledged because the connection on which it
	// arrived has ended. The broker delivers it again.
	ErrAckTooLate = errors.New("mqtt: the message came on a connection that has ended")
	// ErrInvalid means that a message or a subscription breaks the rules of MQTT; nothing was
	// queued.
	ErrInvalid = errors.New("mqtt: invalid")
)

// A ReasonError is a refusal by the broker, or the reason for which the broker ended a connection.
type ReasonError struct {
	Packet         string // the packet that carried the code: CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT
	Code           ReasonCode
	Reason         string // the broker's Reason String, may be empty
	UserProperties []UserProperty
	// ServerReference names the server to use instead, with 0x9C and 0x9D.
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

// IsPermanent reports whether trying again is likely to fail in the same way: the message, the
// request or the credentials have to change first. Lost connections, full quotas and busy brokers
// are not permanent.
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
		packet.RetainNotSupported, packet.QoSNotSupported, packet.ServerMoved, packet.SharedSubscriptionsRefused,
		packet.SubscriptionIDsRefused, packet.WildcardSubscriptionsRefused:
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
