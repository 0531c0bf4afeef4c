package mqtttest

import (
	"slices"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A session is what the broker keeps of a client.
type session struct {
	conn       *conn // nil while away
	clientID   string
	filters    map[string]subscription
	incoming   map[uint16]bool // QoS 2 identifiers between PUBLISH and PUBREL
	unacked    []*delivery     // sent, in order
	waiting    []*delivery     // not sent: the client is away or its Receive Maximum is reached
	lastID     uint16
	outlasting bool // the session survives its connection
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
