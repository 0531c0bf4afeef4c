package link

import (
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
)

// contentEncoding is the user property of a compressed payload, with HTTP's name and values (RFC
// 9110, 8.4): MQTT has none of its own.
const contentEncoding = "content-encoding"

// A Sender makes the client what the uplink needs.
type Sender struct{ Client *mqtt.Client }

// Send implements uplink.Client.
func (s Sender) Send(m uplink.Message, done func(code byte, err error)) error {
	var properties []mqtt.UserProperty
	if m.Encoding != "" {
		properties = []mqtt.UserProperty{{Key: contentEncoding, Value: m.Encoding}}
	}
	err := s.Client.Send(&mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: mqtt.AtLeastOnce, Retain: m.Retain, ContentType: m.ContentType,
		CorrelationData: m.Correlation, UserProperties: properties, Priority: m.Priority}, func(a mqtt.PublishResult, err error) {
		var refused *mqtt.ReasonError
		switch {
		case errors.As(err, &refused):
			done(byte(refused.Code), nil)
		case errors.Is(err, mqtt.ErrRejectedByDisconnect):
			done(0, uplink.ErrRejectedByDisconnect)
		case errors.Is(err, mqtt.ErrTooLarge):
			done(0, uplink.ErrTooLarge)
		case errors.Is(err, mqtt.ErrWithdrawn):
			done(0, uplink.ErrWithdrawn)
		case errors.Is(err, mqtt.ErrClosed), errors.Is(err, mqtt.ErrUncertain):
			done(0, uplink.ErrEnded)
		default:
			done(byte(a.Code), err)
		}
	})
	switch {
	case errors.Is(err, mqtt.ErrClosed):
		return uplink.ErrEnded
	case errors.Is(err, mqtt.ErrInvalid):
		return fmt.Errorf("%w: %w", uplink.ErrInvalid, err)
	}
	return err
}

// Withdraw implements uplink.Client.
func (s Sender) Withdraw(below int) { s.Client.Withdraw(below) }
