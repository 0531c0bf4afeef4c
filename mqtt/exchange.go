package mqtt

import (
	"fmt"
	"time"
)

// An exchange is one message on its way out. It is in exactly one list of its session from Send to
// settlement.
type exchange struct {
	msg     *Message
	done    func(PublishResult, error)
	serial  uint64    // unlike that of every exchange before it, since exchanges are used again
	stored  uint64    // its serial in the message store, 0 if that does not have it
	expires time.Time // zero: never
	expiry  uint32    // Message Expiry Interval as it was sent first, so that a repetition is the same packet
	sentAt  time.Time // first transmission, in whatever session
	id      uint16    // 0 while no PUBLISH of it is in flight in this session
	qos     QoS

	list       *list
	prev, next *exchange
}

// expired returns the outcome of x if its lifetime is over before its first transmission in this
// session, after which nothing may expire any more [MQTT-4.3.3-7].
func (x *exchange) expired(now time.Time) error {
	switch {
	case x.expires.IsZero() || x.id != 0 || now.Before(x.expires):
		return nil
	case x.sentAt.IsZero():
		return ErrExpired
	}
	return fmt.Errorf("%w: %w", ErrUncertain, ErrExpired) // it was sent in a session that was lost
}

// A list is a doubly linked list of exchanges, so that any of them can leave in constant time.
type list struct {
	head, tail *exchange
	len        int
}

func (l *list) pushBack(x *exchange) { l.insertAfter(l.tail, x) }

func (l *list) pushFront(x *exchange) { l.insertAfter(nil, x) }

// insertAfter inserts x behind another exchange, or at the head if that is nil.
func (l *list) insertAfter(before, x *exchange) {
	after := l.head
	if before != nil {
		after = before.next
	}
	x.list, x.prev, x.next = l, before, after
	if before != nil {
		before.next = x
	} else {
		l.head = x
	}
	if after != nil {
		after.prev = x
	} else {
		l.tail = x
	}
	l.len++
}

func (x *exchange) unlink() {
	l := x.list
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		l.head = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		l.tail = x.prev
	}
	l.len--
	x.list, x.prev, x.next = nil, nil, nil
}
