package mqtt

import (
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A Disconnect is the DISCONNECT packet that Close sends. The zero value is a normal disconnection:
// code 0x00, with which the broker discards the will.
type Disconnect struct {
	// Code is 0x00, 0x04 (packet.DisconnectWithWill), or one of the errors that a client may report
	// (MQTT 5.0, table 3-10). After any code but 0x00 the broker publishes the will.
	Code ReasonCode
	// Reason and UserProperties are for the broker's log. They are left out if the broker's Maximum
	// Packet Size has no room for them.
	Reason         string
	UserProperties []UserProperty
	// SessionExpiry replaces Config.SessionExpiry from now on: 0 leaves it as it is, NoSession ends
	// the session at once. If Config.SessionExpiry is NoSession, a positive value is ErrInvalid
	// (3.14.2.2.2).
	SessionExpiry time.Duration
}

// encode returns the DISCONNECT on a connection that was made with the given session expiry.
func (d *Disconnect) encode(sessionExpiry time.Duration) (p packet.Disconnect, err error) {
	if !clientMaySend(d.Code) {
		return p, fmt.Errorf("%w DISCONNECT: a client cannot leave with %v", ErrInvalid, d.Code)
	}
	if !packet.ValidString(d.Reason) {
		return p, fmt.Errorf("%w DISCONNECT: reason %.40q is not an MQTT string", ErrInvalid, d.Reason)
	}
	if err := checkProperties(d.UserProperties); err != nil {
		return p, err
	}
	if d.SessionExpiry > 0 && sessionExpiry <= 0 {
		return p, fmt.Errorf("%w DISCONNECT: the session ends with the connection, it cannot be kept for %v", ErrInvalid, d.SessionExpiry)
	}
	p.Code = d.Code
	q := &p.Properties
	if d.SessionExpiry != 0 {
		q.Present |= packet.Props(packet.PropSessionExpiry)
		q.SessionExpiry = seconds(max(d.SessionExpiry, 0))
	}
	if d.Reason != "" {
		q.Present |= packet.Props(packet.PropReasonString)
		q.ReasonString = d.Reason
	}
	if len(d.UserProperties) > 0 {
		q.Present |= packet.Props(packet.PropUserProperty)
		q.UserProperties = d.UserProperties
	}
	return p, nil
}

// clientMaySend reports whether code is one of those that a client may send in a DISCONNECT (MQTT
// 5.0, table 3-10).
func clientMaySend(code ReasonCode) bool {
	switch code {
	case packet.NormalDisconnection, packet.DisconnectWithWill, packet.UnspecifiedError, packet.MalformedPacket, packet.ProtocolError,
		packet.ImplementationSpecificError, packet.TopicNameInvalid, packet.ReceiveMaximumExceeded, packet.TopicAliasInvalid,
		packet.PacketTooLarge, packet.MessageRateTooHigh, packet.QuotaExceeded, packet.AdministrativeAction, packet.PayloadFormatInvalid:
		return true
	}
	return false
}
