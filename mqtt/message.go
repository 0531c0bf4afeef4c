package mqtt

import (
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A QoS is the quality of service of a message or the highest one of a subscription.
type QoS byte

// The qualities of service (MQTT 5.0, 4.3).
const (
	AtMostOnce  QoS = 0
	AtLeastOnce QoS = 1
	ExactlyOnce QoS = 2
)

// A ReasonCode is the broker's answer to an operation. Codes of 0x80 and above are refusals.
type ReasonCode = packet.ReasonCode

// A UserProperty is a pair of strings that travels with a message or an answer. Order and
// repetition are kept.
type UserProperty = packet.UserProperty

// A Message is an application message, to be published or received.
type Message struct {
	Topic   string
	Payload []byte
	QoS     QoS
	Retain  bool
	// Expiry is the message's lifetime; nil means that it never expires, 0 that it has expired; a
	// received message with 0 had expired when it was delivered. The time runs while the message
	// waits for its first transmission; a message that expires before that is not sent
	// (ErrExpired). Expiry is sent in whole seconds, rounded up.
	Expiry          *time.Duration
	ContentType     string
	ResponseTopic   string
	CorrelationData []byte
	// UTF8 is the payload format indicator: the payload is UTF-8 text.
	UTF8           bool
	UserProperties []UserProperty

	// Duplicate is set if the broker may have sent a received message before (DUP).
	Duplicate bool
	// SubscriptionIDs are the identifiers of the subscriptions that a received message matched.
	SubscriptionIDs []uint32

	receipt *receipt // what Ack acknowledges
}

// A Will is the message that the broker publishes when it loses the client without a DISCONNECT
// 0x00.
type Will struct {
	Message
	// Delay is how long the broker waits before it publishes the will; it does not if the client
	// reconnects within that time. It is sent in whole seconds.
	Delay time.Duration
}

// A PublishResult is the broker's answer to a published message, from its PUBACK, PUBREC or
// PUBCOMP. Code is below 0x80: success, or 0x10 if the broker reports that nobody has subscribed.
// For QoS 0 it is the zero value.
type PublishResult struct {
	Code           ReasonCode
	Reason         string
	UserProperties []UserProperty
}

// RetainHandling says when the broker sends the retained messages that match a subscription (MQTT
// 5.0, 3.8.3.1).
type RetainHandling = packet.RetainHandling

// The values of RetainHandling.
const (
	RetainSend      = packet.RetainSend      // at every SUBSCRIBE
	RetainSendIfNew = packet.RetainSendIfNew // only if the subscription did not exist before
	RetainDoNotSend = packet.RetainDoNotSend // never
)

// A Subscription requests the messages of the topics that match Filter, with at most the given QoS.
type Subscription struct {
	Filter string
	// Alternatives are subscribed to instead if the broker does not support wildcards (CONNACK);
	// Negotiated.Granted then has the worst answer to them.
	Alternatives      []string
	QoS               QoS
	NoLocal           bool // not the messages that this client published
	RetainAsPublished bool // keep the retain flag as the publisher set it
	RetainHandling    RetainHandling
	// ID, if it is not 0, is delivered with the messages that match, in Message.SubscriptionIDs. It
	// is at most 268,435,455.
	ID uint32
	// UserProperties are for the broker. Those of all subscriptions of a request are sent with it,
	// in their order.
	UserProperties []UserProperty
}

// A SubscriptionResult is the broker's answer to Subscribe (SUBACK) or Unsubscribe (UNSUBACK).
type SubscriptionResult struct {
	Codes          []ReasonCode // in the order of the request: the granted QoS, or a refusal
	Reason         string
	UserProperties []UserProperty
}
