package mqtt

import (
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A Farewell is the DISCONNECT with which Close leaves the broker. The zero value is the normal one: code 0x00, with which the broker
// forgets the will.
type Farewell struct {
	// Code is 0x00, 0x04 (packet.DisconnectWithWill) so that the broker sends the will, or one of the errors that a client may report (MQTT 5.0,
	// table 3-10), with which it sends the will too.
	Code ReasonCode
	// Reason and UserProperties are for the broker's log. They are left out where the broker's Maximum Packet Size has no
	// room for them.
	Reason         string
	UserProperties []UserProperty
	// SessionExpiry replaces the one of Config, from now on: 0 leaves it as it is, a negative one ends the session at once. A session that
	// was to end with the connection cannot be kept (3.14.2.2.2).
	SessionExpiry time.Duration
}

// encode returns the DISCONNECT on a connection that was made with the given session expiry.
func (f *Farewell) encode(sessionExpiry time.Duration) (d packet.Disconnect, err error) {
	if !leavesWith(f.Code) {
		return d, fmt.Errorf("%w farewell: a client cannot leave with %v", ErrInvalid, f.Code)
	}
	if !packet.ValidString(f.Reason) {
		return d, fmt.Errorf("%w farewell: reason %.40q is not an MQTT string", ErrInvalid, f.Reason)
	}
	if err := checkProperties(f.UserProperties); err != nil {
		return d, err
	}
	if f.SessionExpiry > 0 && sessionExpiry <= 0 {
		return d, fmt.Errorf("%w farewell: the session ends with the connection, it cannot be kept for %v", ErrInvalid, f.SessionExpiry)
	}
	d.Code = f.Code
	p := &d.Properties
	if f.SessionExpiry != 0 {
		p.Present |= packet.Props(packet.PropSessionExpiry)
		p.SessionExpiry = seconds(max(f.SessionExpiry, 0))
	}
	if f.Reason != "" {
		p.Present |= packet.Props(packet.PropReasonString)
		p.ReasonString = f.Reason
	}
	if len(f.UserProperties) > 0 {
		p.Present |= packet.Props(packet.PropUserProperty)
		p.UserProperties = f.UserProperties
	}
	return d, nil
}

// leavesWith reports whether code is one of those that a client may send in a DISCONNECT (MQTT 5.0, table 3-10).
func leavesWith(code ReasonCode) bool {
	switch code {
	case packet.NormalDisconnection, packet.DisconnectWithWill, packet.UnspecifiedError, packet.MalformedPacket, packet.ProtocolError,
		packet.ImplementationSpecificError, packet.TopicNameInvalid, packet.ReceiveMaximumExceeded, packet.TopicAliasInvalid,
		packet.PacketTooLarge, packet.MessageRateTooHigh, packet.QuotaExceeded, packet.AdministrativeAction, packet.PayloadFormatInvalid:
		return true
	}
	return false
}
