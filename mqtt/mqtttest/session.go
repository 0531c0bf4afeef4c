package mqtttest

import (
	"math"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A session is what the broker keeps of a client.
type session struct {
	conn     *conn // nil while away
	clientID string
	filters  map[string]subscription
	incoming map[uint16]bool // QoS 2 identifiers between PUBLISH and PUBREL
	unacked  []*delivery     // sent, in order
	waiting  []*delivery     // not sent: the client is away or its Receive Maximum is reached
	lastID   uint16
	expiry   time.Duration // how long the session outlasts its connection
	ends     *time.Timer   // of the session; nil while the client is connected
	will     *will         // of the last connection, until its delay is over
}

// A will is what is published unless the client comes again within the delay.
type will struct {
	from    *conn
	publish packet.Publish
	delay   time.Duration
	due     *time.Timer // nil: not yet
}

// A subscription is what a SUBSCRIBE made.
type subscription struct {
	packet.Subscription
	id uint32 // 0: none
}

// A delivery is a message to a client.
type delivery struct {
	publish  packet.Publish
	released bool // PUBREC came
}

// deliverLocked sends p, or keeps it for later.
func (s *session) deliverLocked(p packet.Publish) {
	if p.QoS == 0 {
		if s.conn != nil {
			s.conn.sendLocked(&p)
		}
		return
	}
	s.waiting = append(s.waiting, &delivery{publish: p})
	s.flushLocked()
}

// flushLocked sends what waits, as far as the client's Receive Maximum allows.
func (s *session) flushLocked() {
	if s.conn == nil {
		return
	}
	for len(s.waiting) > 0 && (len(s.unacked) < s.conn.receiveMaximum || s.conn.broker.behavior.IgnoreReceiveMaximum) {
		d := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.lastID = s.lastID%65535 + 1
		d.publish.ID = s.lastID
		s.unacked = append(s.unacked, d)
		s.conn.sendLocked(&d.publish)
	}
}

// answeredLocked notes the client's answer to a delivery.
func (s *session) answeredLocked(a *packet.PublishAck) {
	i := slices.IndexFunc(s.unacked, func(d *delivery) bool { return d.publish.ID == a.ID })
	if i < 0 {
		return
	}
	if a.Type == packet.PUBREC && !a.Code.Failed() {
		s.unacked[i].released = true
		s.conn.sendLocked(&packet.PublishAck{Type: packet.PUBREL, ID: a.ID})
		return
	}
	s.unacked = slices.Delete(s.unacked, i, i+1)
	s.flushLocked()
}

// repeatLocked sends what is unacknowledged again, on a new connection.
func (s *session) repeatLocked() {
	for _, d := range s.unacked {
		if d.released {
			s.conn.sendLocked(&packet.PublishAck{Type: packet.PUBREL, ID: d.publish.ID})
		} else {
			d.publish.Dup = true
			s.conn.sendLocked(&d.publish)
		}
	}
	s.flushLocked()
}

// leftLocked notes that the connection has ended: the session ends when its expiry is over, and the
// will is published when its delay is over or the session ends, whichever comes first
// [MQTT-3.1.2-8].
func (b *Broker) leftLocked(s *session, w *will) {
	if s.will = w; w != nil && w.delay > 0 {
		w.due = b.afterLocked(w.delay, func() { b.publishWillLocked(s) })
	} else {
		b.publishWillLocked(s)
	}
	if s.expiry == 0 {
		b.endSessionLocked(s)
	} else {
		s.ends = b.afterLocked(s.expiry, func() { b.endSessionLocked(s) })
	}
}

// afterLocked calls f with the lock after a time, unless the timer is stopped or the broker closed.
func (b *Broker) afterLocked(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.closed {
			f()
		}
	})
}

// returnedLocked keeps the session and discards the will: its client is here again.
func (s *session) returnedLocked() {
	if s.ends != nil {
		s.ends.Stop()
	}
	if s.will != nil && s.will.due != nil {
		s.will.due.Stop()
	}
	s.ends, s.will = nil, nil
}

// endSessionLocked forgets the session.
func (b *Broker) endSessionLocked(s *session) {
	w := s.will
	s.returnedLocked()
	s.will = w
	b.publishWillLocked(s)
	if b.sessions[s.clientID] == s {
		delete(b.sessions, s.clientID)
	}
}

// publishWillLocked publishes a will that waits.
func (b *Broker) publishWillLocked(s *session) {
	if w := s.will; w != nil {
		s.will = nil
		b.routeLocked(w.from, w.publish)
	}
}

// lifetime returns a Session Expiry Interval.
func lifetime(seconds uint32) time.Duration {
	if seconds == math.MaxUint32 {
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}
