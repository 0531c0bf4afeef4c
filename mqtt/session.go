package mqtt

import (
	"cmp"
	"slices"
	"time"
)

// A session is the state that a client keeps for one session with a broker (MQTT 5.0, 4.1): a plain
// value without I/O, clock or lock. Between suspend and resume or restart it is offline; then next
// returns nothing.
type session struct {
	queue    list // not sent in this session, in the order of Send
	resend   list // sent on an earlier connection, not yet on this one, in the order of first transmission
	unacked  list // PUBLISH sent on this connection, in the order of first transmission
	released list // PUBREC received, PUBCOMP not, in the order of the PUBRECs [MQTT-4.6.0-4]

	// overtaken is the head of unacked, if a later one was acknowledged before it, which a broker
	// that delivers it does not do [MQTT-4.6.0-2]; else nil.
	overtaken *exchange

	ids    idTable // identifiers in use [MQTT-2.2.1-3]
	lastID uint16
	window int // most PUBLISHes with QoS 1 and 2 unacknowledged on this connection, 0 while offline

	// received are the identifiers of inbound QoS 2 messages that were accepted and not released.
	// True: PUBREL has come on this connection and waits to be answered.
	received map[uint16]bool
}

// newSession returns a session for at most so many messages in flight.
func newSession(received []uint16, inFlight int) session {
	s := session{ids: newIDTable(inFlight), received: make(map[uint16]bool)}
	for _, id := range received {
		s.received[id] = false
	}
	return s
}

// inherit takes over exchanges of an earlier process, in the order of their newest steps. Those
// that were released are in their list already; the others are repeated in the order of their first
// transmission. If two have the same identifier the older step is one of a session that was lost
// since: that message is new again.
func (s *session) inherit(inherited []*exchange) {
	if len(inherited) == 0 {
		return
	}
	s.ids = newIDTable(1<<16 - 1) // whatever identifiers they have, each has its place
	for _, x := range inherited {
		if old := s.ids.get(x.id); old != nil {
			s.ids.remove(x.id)
			old.id = 0
		}
		s.ids.put(x.id, x)
		s.lastID = x.id
	}
	slices.SortFunc(inherited, func(a, b *exchange) int { return -cmp.Compare(a.stored, b.stored) })
	for _, x := range inherited {
		switch {
		case x.list != nil:
		case x.id == 0:
			s.queue.pushFront(x)
		default:
			s.resend.pushFront(x)
		}
	}
}

// enqueue puts a new message behind those of its priority and above, and behind what was sent in a
// session that was lost. It takes as long as there are messages of a lower priority.
func (s *session) enqueue(x *exchange) {
	before := s.queue.tail
	for before != nil && before.msg.Priority < x.msg.Priority && before.sentAt.IsZero() {
		before = before.prev
	}
	s.queue.insertAfter(before, x)
}

// reserve returns an identifier that is not in use, taking turns so that a late answer finds no new
// owner; 0 if none is free. x is nil for a request.
func (s *session) reserve(x *exchange) uint16 {
	if s.ids.full() {
		return 0
	}
	for {
		s.lastID++
		if s.lastID != 0 && s.ids.put(s.lastID, x) {
			return s.lastID
		}
	}
}

// suspend notes the end of the connection.
func (s *session) suspend() {
	// What was sent on this connection was sent first before everything that still waits to be
	// repeated.
	for x := s.unacked.tail; x != nil; x = s.unacked.tail {
		x.unlink()
		s.resend.pushFront(x)
	}
	for id := range s.received {
		s.received[id] = false
	}
	s.window, s.overtaken = 0, nil
}

// resume notes a connection to the session. The exchanges in released are to be repeated as PUBREL,
// before anything else.
func (s *session) resume(window int) { s.window = window }

// restart notes a connection to a new session [MQTT-3.2.2-5]. What was in flight becomes new, ahead
// of newer messages and in its order, and is counted; what the broker had received for good leaves
// and is returned.
func (s *session) restart(window int) (delivered []*exchange, republished int) {
	for x := s.released.head; x != nil; x = s.released.head {
		s.settle(x)
		delivered = append(delivered, x)
	}
	for x := s.resend.tail; x != nil; x = s.resend.tail {
		s.settle(x)
		x.id = 0
		s.queue.pushFront(x)
		republished++
	}
	clear(s.received)
	s.window = window
	return delivered, republished
}

// inFlight returns how many messages count against the window. Those that were released on an
// earlier connection do too: it is the safe reading of [MQTT-3.3.4-7].
func (s *session) inFlight() int { return s.unacked.len + s.released.len }

// next returns the exchange whose PUBLISH is to be sent now, or nil. A full window holds back QoS 0
// messages behind it, for the order.
func (s *session) next() *exchange {
	x := s.resend.head
	if x == nil {
		x = s.queue.head
	}
	if x == nil || s.window == 0 {
		return nil
	}
	if x.qos > AtMostOnce && s.inFlight() >= s.window {
		return nil
	}
	return x
}

// exhausted reports whether x, which next returned, needs an identifier and none is free.
func (s *session) exhausted(x *exchange) bool {
	return x.qos > AtMostOnce && x.id == 0 && s.ids.full()
}

// send notes that the PUBLISH of x, which is not exhausted, is sent, and reports whether as a
// repetition. A QoS 0 exchange leaves the session.
func (s *session) send(x *exchange, now time.Time) (dup bool) {
	dup = x.id != 0
	if x.qos > AtMostOnce && !dup {
		x.id = s.reserve(x)
	}
	x.unlink()
	if x.sentAt.IsZero() {
		x.sentAt = now
	}
	if x.qos > AtMostOnce {
		s.unacked.pushBack(x)
	}
	return dup
}

// expire removes and returns the messages that expired before they were sent in this session. next
// is when the next one does, zero for never.
func (s *session) expire(now time.Time) (over []*exchange, next time.Time) {
	for x := s.queue.head; x != nil; {
		y := x.next
		switch {
		case x.expired(now) != nil:
			s.settle(x)
			over = append(over, x)
		case !x.expires.IsZero() && (next.IsZero() || x.expires.Before(next)):
			next = x.expires
		}
		x = y
	}
	return over, next
}

// settle removes x and frees its identifier.
func (s *session) settle(x *exchange) {
	x.unlink()
	if x.id != 0 {
		s.ids.remove(x.id)
	}
}

// A verdict is what an acknowledgement means to a session.
type verdict int

const (
	unknown  verdict = iota // no message has this identifier
	wrong                   // the message is not in a state for this packet
	settled                 // the exchange is over and has left the session
	released                // PUBREL is to be sent
)

// answered notes that the broker has answered x, which is in unacked.
func (s *session) answered(x *exchange) {
	switch {
	case x.prev != nil:
		s.overtaken = s.unacked.head
	case x == s.overtaken:
		s.overtaken = nil
	}
}

// puback notes a PUBACK.
func (s *session) puback(id uint16) (*exchange, verdict) {
	x := s.ids.get(id)
	switch {
	case x == nil:
		return nil, unknown
	case x.qos != AtLeastOnce:
		return x, wrong
	}
	s.answered(x)
	s.settle(x)
	return x, settled
}

// pubrec notes a PUBREC. A refusal ends the exchange; a repeated PUBREC asks for the PUBREL again.
func (s *session) pubrec(id uint16, refused bool) (*exchange, verdict) {
	x := s.ids.get(id)
	switch {
	case x == nil:
		return nil, unknown
	case x.qos != ExactlyOnce:
		return x, wrong
	case x.list == &s.released:
		return x, released
	}
	s.answered(x)
	if refused {
		s.settle(x)
		return x, settled
	}
	x.unlink()
	s.released.pushBack(x)
	return x, released
}

// pubcomp notes a PUBCOMP.
func (s *session) pubcomp(id uint16) (*exchange, verdict) {
	x := s.ids.get(id)
	switch {
	case x == nil:
		return nil, unknown
	case x.list != &s.released:
		return x, wrong
	}
	s.settle(x)
	return x, settled
}
