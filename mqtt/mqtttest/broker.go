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
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A Publication is a PUBLISH packet that a client sent.
type Publication struct {
	ClientID   string
	At         time.Time
	Connection int  // number of the connection, from 1, over all clients
	Aliased    bool // the packet had a topic alias instead of its topic; Topic is filled in
	packet.Publish
}

// A Broker is an MQTT broker for tests. New makes one. Its methods may be called from any
// goroutine. Packets that they return are those that came so far, in the order of arrival; their
// payloads must not be modified.
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
	discarded   int
	closed      bool
}

// New returns a broker that behaves as b says. Close ends it.
func New(b Behavior) *Broker {
	return &Broker{
		behavior: b, sessions: make(map[string]*session), retained: make(map[string]packet.Publish), conns: make(map[*conn]struct{}),
	}
}

// Dial connects through net.Pipe, whatever the URL. It fits mqtt.Config.Dial.
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

// Serve accepts connections from l, in the background, until Close, which closes l.
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

// Close ends all connections and listeners, and waits for their goroutines.
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

// Cut ends all connections without a DISCONNECT.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.hangUpLocked()
	}
}

// Behave lets change modify the behavior. What concerns CONNECT and CONNACK applies from the next
// connection on. change must not call the broker.
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

// Send writes raw bytes, which need not be a packet, to every connected client.
func (b *Broker) Send(raw []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.writeLocked(raw)
	}
}

// Disconnect sends a DISCONNECT with code to every connected client and closes the connections.
func (b *Broker) Disconnect(code packet.ReasonCode) { b.DisconnectWith(packet.Disconnect{Code: code}) }

// DisconnectWith is Disconnect with a packet, for its properties.
func (b *Broker) DisconnectWith(p packet.Disconnect) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.leaveLocked(&p)
	}
}

// Connects returns the CONNECT packets that came so far, those of refused connections included.
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

// Discarded returns how many PUBLISH packets exceeded a rate of the behavior.
func (b *Broker) Discarded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.discarded
}

// Violations returns what clients did against the standard so far, one sentence each.
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
