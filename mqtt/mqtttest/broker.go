package mqtttest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Behavior is what a broker offers and what it does wrong. The zero value is a good broker.
type Behavior struct {
	// Properties are those of the CONNACK: limits, server keep alive and the like. The broker obeys
	// them and records clients that do not.
	Properties packet.Properties

	DialError            error             // connections cannot be made
	Refuse               packet.ReasonCode // CONNACK with this code
	MQTT311              bool              // CONNACK as MQTT 3.1.1 has it
	Mute                 bool              // CONNECT is not answered
	CloseAfter           int               // close a connection when the client has written so many bytes
	NoPuback             bool              // PUBACK, PUBREC and PUBCOMP are not sent
	NoPingresp           bool              // PINGREQ is not answered
	NoSuback             bool              // SUBSCRIBE is not answered
	WrongID              bool              // PUBACK and PUBREC have the next identifier
	AckCode              packet.ReasonCode // of PUBACK and PUBREC
	LoseSession          bool              // sessions are forgotten at every CONNECT
	IgnoreReceiveMaximum bool              // the client's Receive Maximum is not obeyed
	// CloseAt ends the connection at a PUBLISH to a topic that matches it, FilterCloseAt at a
	// SUBSCRIBE to that filter, LargeCloseAt at a PUBLISH packet of so many bytes; before the
	// broker answers. CloseCode, if it is not 0, is that of the DISCONNECT.
	CloseAt       string
	FilterCloseAt string
	LargeCloseAt  int
	CloseCode     packet.ReasonCode
	// RefuseAt answers a PUBLISH to a topic that matches it with 0x87 and closes, as mosquitto
	// 2.0.11 does.
	RefuseAt string
	// AliasCloseAt ends the connection with CloseCode at the use of this topic alias.
	AliasCloseAt uint16
	// SubackCode answers a filter instead of its QoS.
	SubackCode map[string]packet.ReasonCode
	// RefuseWill answers a CONNECT with a will with a code, 0 for success.
	RefuseWill func(w *packet.Will) packet.ReasonCode
	// NoResume closes a connection to a session that the broker has, after the CONNACK;
	// EarlyPublish sends a PUBLISH before that instead. With StuckSession the connection continues,
	// but its messages are not answered.
	NoResume     bool
	EarlyPublish bool
	StuckSession bool
	// Greeting is written instead of an answer to CONNECT, and the connection closed.
	Greeting string
	// Deaf makes the broker stop reading after the CONNECT.
	Deaf bool
	// Authenticate is the broker's side of enhanced authentication, where a CONNECT has a method.
	// It gets the data of each CONNECT and AUTH; start says that an exchange begins. done ends it
	// with success, an error with 0x87. It must not call the broker.
	Authenticate func(start bool, data []byte) (answer []byte, done bool, err error)
}

// A Publication is a PUBLISH packet that a client sent.
type Publication struct {
	ClientID   string
	Connection int  // counts from 1 over all clients
	Aliased    bool // the packet had a topic alias in the place of its topic, which is filled in here
	packet.Publish
}

// A Broker is an MQTT broker for tests.
type Broker struct {
	goroutines sync.WaitGroup // of all connections and listeners, waited for by Close

	mu          sync.Mutex
	behavior    Behavior
	sessions    map[string]*session
	retained    map[string]packet.Publish
	conns       map[*conn]struct{}
	listeners   []net.Listener
	made        int // connections
	connects    []packet.Connect
	published   []Publication
	acks        []packet.PublishAck
	disconnects []packet.Disconnect
	violations  []string
	closed      bool
}

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

// New returns a broker. Close ends it.
func New(b Behavior) *Broker {
	return &Broker{
		behavior: b, sessions: make(map[string]*session), retained: make(map[string]packet.Publish), conns: make(map[*conn]struct{}),
	}
}

// Dial connects through net.Pipe. It fits mqtt.Config.Dial.
func (b *Broker) Dial(ctx context.Context, _ *url.URL, _ *tls.Config) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, net.ErrClosed
	}
	if err := b.behavior.DialError; err != nil {
		return nil, err
	}
	client, broker := net.Pipe()
	b.startLocked(broker)
	return client, ctx.Err()
}

// Serve accepts connections from l until Close.
func (b *Broker) Serve(l net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, l)
	b.goroutines.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			if b.closed {
				nc.Close()
			} else {
				b.startLocked(nc)
			}
			b.mu.Unlock()
		}
	})
}

// Close ends all connections and waits for them.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	for _, l := range b.listeners {
		l.Close()
	}
	b.mu.Unlock()
	b.Cut()
	b.goroutines.Wait()
}

// Cut ends all connections without a word.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.hangUpLocked()
	}
}

// Behave changes the behavior. What belongs to the CONNACK counts from the next connection on.
func (b *Broker) Behave(change func(*Behavior)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.behavior)
}

// Publish routes a message as if a client had sent it.
func (b *Broker) Publish(p packet.Publish) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routeLocked(nil, p)
}

// Send writes bytes to every connected client.
func (b *Broker) Send(raw []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.writeLocked(raw)
	}
}

// Disconnect sends a DISCONNECT to every connected client and closes.
func (b *Broker) Disconnect(code packet.ReasonCode) { b.Leave(packet.Disconnect{Code: code}) }

// Leave sends a DISCONNECT with its properties to every connected client and closes.
func (b *Broker) Leave(p packet.Disconnect) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.leaveLocked(&p)
	}
}

// Connects returns the CONNECT packets so far, of refused connections too.
func (b *Broker) Connects() []packet.Connect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.connects)
}

// Published returns the PUBLISH packets that came so far, repetitions included.
func (b *Broker) Published() []Publication {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.published)
}

// Acks returns the PUBACK, PUBREC, PUBREL and PUBCOMP packets that came so far.
func (b *Broker) Acks() []packet.PublishAck {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.acks)
}

// Disconnects returns the DISCONNECT packets that came so far.
func (b *Broker) Disconnects() []packet.Disconnect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.disconnects)
}

// Violations returns what clients did against the standard so far.
func (b *Broker) Violations() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.violations)
}

// startLocked serves a connection.
func (b *Broker) startLocked(nc net.Conn) {
	b.made++
	c := &conn{broker: b, nc: nc, number: b.made, wake: make(chan struct{}, 1), hung: make(chan struct{}), unacked: make(map[uint16]bool), aliases: make(map[uint16]string)}
	b.conns[c] = struct{}{}
	b.goroutines.Go(c.writeAll)
	b.goroutines.Go(func() {
		_ = c.readAll() // what the client did wrong is in violations
		b.mu.Lock()
		defer b.mu.Unlock()
		c.endLocked()
	})
}

func (b *Broker) violationLocked(format string, args ...any) error {
	b.violations = append(b.violations, fmt.Sprintf(format, args...))
	return errors.New(b.violations[len(b.violations)-1])
}

// routeLocked gives p to everyone who subscribed.
func (b *Broker) routeLocked(from *conn, p packet.Publish) {
	p.Dup, p.ID = false, 0
	p.Payload = slices.Clone(p.Payload)
	p.Properties.CorrelationData = slices.Clone(p.Properties.CorrelationData)
	p.Properties.TopicAlias = 0
	p.Properties.Present &^= packet.Props(packet.PropTopicAlias)
	if p.Retain {
		if len(p.Payload) == 0 {
			delete(b.retained, p.Topic)
		} else {
			b.retained[p.Topic] = p
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.sessions)) {
		s := b.sessions[id]
		best, matched := subscription{}, false
		var ids []uint32
		for _, f := range s.filters {
			if !Match(f.Filter, p.Topic) || f.NoLocal && from != nil && from.session == s {
				continue
			}
			if !matched || f.QoS > best.QoS {
				best, matched = f, true
			}
			if f.id != 0 {
				ids = append(ids, f.id)
			}
		}
		if matched {
			d := p
			if len(ids) > 0 {
				slices.Sort(ids)
				d.Properties.SubscriptionIDs = ids
				d.Properties.Present |= packet.Props(packet.PropSubscriptionID)
			}
			d.QoS = min(d.QoS, best.QoS)
			d.Retain = d.Retain && best.RetainAsPublished
			s.deliverLocked(d)
		}
	}
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

// Match reports whether a topic matches a topic filter (MQTT 5.0, 4.7).
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i == len(t) || level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}
