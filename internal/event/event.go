// Package event is the form in which the events lane of the store keeps what it delivers: events
// (package contract says what they contain) and the replies to commands. An event's head is
// rendered when it is sent, because its time may be known only then; a reply is kept as it will be
// sent, because a repeated command gets the same one. A Journal queues the events of the running
// gateway, among them those that report the loss ledger.
package event

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Streams of the events lane. Each is numbered by itself, so that the numbers of events have no
// holes.
const (
	Events  = "event"
	Replies = "reply"
)

// ErrMalformed says that bytes are not a stored event or reply.
var ErrMalformed = errors.New("malformed event")

// Encode returns the body of an event: its kind, and the members of fields, which must marshal to a
// JSON object.
func Encode(kind string, fields any) ([]byte, error) {
	object, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", kind, err)
	}
	return append(appendBytes(nil, []byte(kind)), object...), nil
}

// Decode takes the body of an event apart. fields is a JSON object within body.
func Decode(body []byte) (kind string, fields []byte, err error) {
	k, fields, ok := cutBytes(body)
	if !ok || len(fields) < 2 || fields[0] != '{' {
		return "", nil, ErrMalformed
	}
	return string(k), fields, nil
}

// A Reply is a reply to a command, ready to send.
type Reply struct {
	Topic       string
	Correlation []byte // nil: none
	Payload     []byte
}

// EncodeReply returns the body of a reply.
func EncodeReply(r Reply) []byte {
	b := appendBytes(nil, []byte(r.Topic))
	b = appendBytes(b, r.Correlation)
	return append(b, r.Payload...)
}

// DecodeReply takes the body of a reply apart; Correlation and Payload point into body.
func DecodeReply(body []byte) (Reply, error) {
	topic, rest, ok := cutBytes(body)
	correlation, payload, ok2 := cutBytes(rest)
	if !ok || !ok2 {
		return Reply{}, ErrMalformed
	}
	r := Reply{Topic: string(topic), Payload: payload}
	if len(correlation) > 0 {
		r.Correlation = correlation
	}
	return r, nil
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func cutBytes(b []byte) (first, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}
