package mqtt

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// check returns what is wrong with m as a message to publish.
func (m *Message) check() error {
	if err := checkTopic(m.Topic); err != nil {
		return err
	}
	if m.QoS > ExactlyOnce {
		return fmt.Errorf("%w: QoS %d", ErrInvalid, m.QoS)
	}
	if m.ResponseTopic != "" {
		if err := checkTopic(m.ResponseTopic); err != nil {
			return fmt.Errorf("response topic: %w", err)
		}
	}
	if !packet.ValidString(m.ContentType) {
		return fmt.Errorf("%w: content type %.40q is not an MQTT string", ErrInvalid, m.ContentType)
	}
	if len(m.CorrelationData) > packet.MaxStringLength {
		return fmt.Errorf("%w: correlation data of %d bytes, at most %d", ErrInvalid, len(m.CorrelationData), packet.MaxStringLength)
	}
	if err := checkProperties(m.UserProperties); err != nil {
		return err
	}
	if m.Expiry != nil && *m.Expiry < 0 {
		return fmt.Errorf("%w: negative expiry %v", ErrInvalid, *m.Expiry)
	}
	if m.UTF8 && !utf8.Valid(m.Payload) {
		return fmt.Errorf("%w: payload for %q is not UTF-8", ErrInvalid, m.Topic)
	}
	return nil
}

func checkProperties(properties []UserProperty) error {
	for _, p := range properties {
		if !packet.ValidString(p.Key) || !packet.ValidString(p.Value) {
			return fmt.Errorf("%w: user property %.40q is not two MQTT strings", ErrInvalid, p.Key)
		}
	}
	return nil
}

func checkTopic(topic string) error {
	if !packet.ValidTopic(topic) {
		return fmt.Errorf("%w: %.80q is not a topic name", ErrInvalid, topic)
	}
	return nil
}

// encode fills p, except Dup, ID and the message expiry. What p had before stays if it does not
// count: clearing it is most of the cost.
func (m *Message) encode(p *packet.Publish) {
	p.QoS, p.Retain, p.Topic, p.Payload = byte(m.QoS), m.Retain, m.Topic, m.Payload
	p.Properties.Present = 0
	m.properties(&p.Properties)
}

func (m *Message) properties(p *packet.Properties) {
	if m.UTF8 {
		p.PayloadFormat = 1
		p.Present |= packet.Props(packet.PropPayloadFormat)
	}
	if m.ContentType != "" {
		p.ContentType = m.ContentType
		p.Present |= packet.Props(packet.PropContentType)
	}
	if m.ResponseTopic != "" {
		p.ResponseTopic = m.ResponseTopic
		p.Present |= packet.Props(packet.PropResponseTopic)
	}
	if m.CorrelationData != nil {
		p.CorrelationData = m.CorrelationData
		p.Present |= packet.Props(packet.PropCorrelationData)
	}
	if len(m.UserProperties) > 0 {
		p.UserProperties = m.UserProperties
		p.Present |= packet.Props(packet.PropUserProperty)
	}
}

// message returns the received message in p.
func message(p *packet.Publish) *Message {
	q := &p.Properties
	var expiry *time.Duration
	if q.Present.Has(packet.PropMessageExpiry) {
		d := time.Duration(q.MessageExpiry) * time.Second
		expiry = &d
	}
	return &Message{
		Topic:           p.Topic,
		Payload:         p.Payload,
		QoS:             QoS(p.QoS),
		Retain:          p.Retain,
		Expiry:          expiry,
		ContentType:     q.ContentType,
		ResponseTopic:   q.ResponseTopic,
		CorrelationData: q.CorrelationData,
		UTF8:            q.PayloadFormat == 1,
		UserProperties:  q.UserProperties,
		Duplicate:       p.Dup,
		SubscriptionIDs: q.SubscriptionIDs,
	}
}

// encode returns the will as part of a CONNECT.
func (w *Will) encode() (*packet.Will, error) {
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("mqtt: will: %w", err)
	}
	if len(w.Payload) > packet.MaxStringLength {
		return nil, fmt.Errorf("mqtt: will: %w: %d bytes of payload, at most %d", ErrTooLarge, len(w.Payload), packet.MaxStringLength)
	}
	p := &packet.Will{QoS: byte(w.QoS), Retain: w.Retain, Topic: w.Topic, Payload: w.Payload}
	w.properties(&p.Properties)
	if w.Expiry != nil {
		p.Properties.MessageExpiry = seconds(*w.Expiry)
		p.Properties.Present |= packet.Props(packet.PropMessageExpiry)
	}
	if w.Delay > 0 {
		p.Properties.WillDelay = seconds(w.Delay)
		p.Properties.Present |= packet.Props(packet.PropWillDelay)
	}
	return p, nil
}

// seconds returns d in seconds, rounded up, at most the largest that the protocol does not read as
// "forever".
func seconds(d time.Duration) uint32 {
	s := (d + time.Second - 1) / time.Second
	return uint32(min(max(s, 0), math.MaxUint32-1))
}

// check returns what is wrong with s.
func (s Subscription) check() error {
	if s.QoS > ExactlyOnce || s.RetainHandling > RetainDoNotSend {
		return fmt.Errorf("%w: subscription to %q has impossible options", ErrInvalid, s.Filter)
	}
	if !validFilter(s.Filter) {
		return fmt.Errorf("%w: %.80q is not a topic filter", ErrInvalid, s.Filter)
	}
	for _, f := range s.Alternatives {
		if !validFilter(f) {
			return fmt.Errorf("%w: %.80q is not a topic filter", ErrInvalid, f)
		}
	}
	if s.ID > packet.MaxLength {
		return fmt.Errorf("%w: subscription identifier %d, at most %d", ErrInvalid, s.ID, packet.MaxLength)
	}
	if s.NoLocal && isShared(s.Filter) { // [MQTT-3.8.3-4]
		return fmt.Errorf("%w: shared subscription to %q with NoLocal", ErrInvalid, s.Filter)
	}
	if err := checkProperties(s.UserProperties); err != nil {
		return fmt.Errorf("mqtt: subscription to %q: %w", s.Filter, err)
	}
	return nil
}

// validFilter reports whether f is a topic filter: # alone in the last level, + alone in its level
// [MQTT-4.7.1-1] [MQTT-4.7.1-2], and a share name if it begins with $share/ [MQTT-4.8.2-1]
// [MQTT-4.8.2-2].
func validFilter(f string) bool {
	if f == "" || !packet.ValidString(f) {
		return false
	}
	if rest, shared := strings.CutPrefix(f, "$share/"); shared {
		name, filter, ok := strings.Cut(rest, "/")
		if !ok || name == "" || strings.ContainsAny(name, "+#") || filter == "" {
			return false
		}
		f = filter
	}
	for level, rest, more := "", f, true; more; {
		level, rest, more = strings.Cut(rest, "/")
		if strings.Contains(level, "#") && (level != "#" || more) || strings.Contains(level, "+") && level != "+" {
			return false
		}
	}
	return true
}

func isShared(filter string) bool { return strings.HasPrefix(filter, "$share/") }

func (s Subscription) encode() packet.Subscription {
	return packet.Subscription{
		Filter: s.Filter, QoS: byte(s.QoS), NoLocal: s.NoLocal,
		RetainAsPublished: s.RetainAsPublished, RetainHandling: s.RetainHandling,
	}
}
