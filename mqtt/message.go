package mqtt

import (
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A QoS is the quality of service of a message, or the highest one that a subscription asks for.
type QoS byte

// The qualities of service (MQTT 5.0, 4.3).
const (
	AtMostOnce  QoS = 0
	AtLeastOnce QoS = 1
	ExactlyOnce QoS = 2
)

// A ReasonCode is the result of an operation (MQTT 5.0, 2.4). Codes of 0x80 and above are failures.
// The constants are in package mqtt/packet.
type ReasonCode = packet.ReasonCode

// A UserProperty is a name and a value that the application defines. Names may occur more than
// once; the order is kept.
type UserProperty = packet.UserProperty

// A Message is an application message, to be published or received.
type Message struct {
	Topic   string // without wildcards
	Payload []byte
	QoS     QoS
	// Retain asks the broker to keep the message for later subscribers. On a received message it
	// means that the broker had kept the message or, with Subscription.RetainAsPublished, that the
	// publisher set it.
	Retain bool
	// Expiry is the lifetime of the message: nil means that it never expires, 0 that it already
	// has, and a negative value is ErrInvalid. The time runs from Send until the first
	// transmission; a message that expires before that is not sent (ErrExpired). The broker gets
	// the time that is left, in whole seconds, rounded up. On a received message, Expiry is the
	// time that was left when the broker sent it.
	Expiry          *time.Duration
	ContentType     string
	ResponseTopic   string
	CorrelationData []byte
	// UTF8 is the payload format indicator: the payload is UTF-8 text. Send checks it.
	UTF8           bool
	UserProperties []UserProperty
	// Priority decides what is sent first of the messages that wait, the highest number first. Of
	// one priority, and once it was sent, the order is that of Send. The broker does not see it.
	Priority int

	// Duplicate is set on a received message if the broker may have sent it before (DUP). It is
	// ignored when publishing.
	Duplicate bool
	// SubscriptionIDs are the identifiers (Subscription.ID) of the subscriptions that a received
	// message matched. They are ignored when publishing.
	SubscriptionIDs []uint32

	receipt *receipt // what Ack acknowledges
}

// A Will is the message that the broker publishes if the connection ends without a DISCONNECT with
// code 0x00. The Expiry of the message begins when the broker publishes it.
type Will struct {
	Message
	// Delay is how long the broker waits before it publishes the will, in whole seconds, rounded
	// up: default 0. The broker does not publish the will if the client reconnects within that
	// time. The end of the session also ends the delay.
	Delay time.Duration
}

// A PublishResult is the broker's answer to a published message: its PUBACK, or its PUBREC or
// PUBCOMP. Code is 0x00, 0x10 if the broker reports that nobody has subscribed to the topic, or a
// refusal. For QoS 0, and if there was no answer, the PublishResult is the zero value.
type PublishResult struct {
	Code           ReasonCode
	Reason         string
	UserProperties []UserProperty
}

// RetainHandling determines when the broker sends the retained messages that match a subscription
// (MQTT 5.0, 3.8.3.1). The zero value is RetainSend.
type RetainHandling = packet.RetainHandling

// The values of RetainHandling.
const (
	RetainSend      = packet.RetainSend      // at every SUBSCRIBE, so on every connection for Config.Subscriptions
	RetainSendIfNew = packet.RetainSendIfNew // only if the subscription did not exist before
	RetainDoNotSend = packet.RetainDoNotSend // never
)

// A Subscription requests the messages of the topics that match Filter, with at most the given QoS.
type Subscription struct {
	Filter string // a topic filter; $share/name/filter for a shared subscription
	// Alternatives are topic filters that Config.Subscriptions uses instead of Filter if the
	// broker's CONNACK says that it does not support wildcards. Negotiated.Granted then has the
	// worst of the answers to them. Client.Subscribe ignores them.
	Alternatives      []string
	QoS               QoS
	NoLocal           bool // leave out the messages that this client published
	RetainAsPublished bool // keep the retain flag as the publisher set it
	RetainHandling    RetainHandling
	// ID is the subscription identifier: the broker sends it with the messages that match
	// (Message.SubscriptionIDs). It is at most 268,435,455; 0 means none.
	ID uint32
	// UserProperties are for the broker. A SUBSCRIBE carries those of all its subscriptions, in
	// their order.
	UserProperties []UserProperty
}

// A SubscriptionResult is the broker's answer to Subscribe (SUBACK) or Unsubscribe (UNSUBACK).
type SubscriptionResult struct {
	// Codes has one code for each subscription or filter, in the order of the call: for Subscribe
	// the granted QoS, for Unsubscribe 0x00, or 0x11 if there was no such subscription; 0x80 and
	// above is a refusal.
	Codes          []ReasonCode
	Reason         string
	UserProperties []UserProperty
}
