package mqtt

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A conn is one connection that the broker has accepted. It has a goroutine that reads and one that
// writes; serve waits for both. Client.mu guards the fields marked so.
type conn struct {
	c          *Client
	nc         net.Conn
	negotiated Negotiated
	epoch      int       // of the session
	expires    time.Time // of the credentials, zero: never
	start      time.Time // times of the connection are counted from here
	writerWake chan struct{}
	readerWake chan struct{} // wakes the reader: control was taken or a message accepted
	dead       chan struct{} // closed by fail
	readerDone chan struct{}
	silent     bool          // no byte came; the supervisor's
	will       *Will         // of the CONNECT
	connackAt  time.Duration // CONNACK, since start

	lastRead atomic.Int64 // time.Duration since start

	idle         bool               // mu: the writer waits for wake
	control      []byte             // mu: encoded packets other than PUBLISH, SUBSCRIBE and UNSUBSCRIBE
	closing      *closing           // mu: the end in order, once asked for
	err          error              // mu: why the connection ended
	auth         chan<- packet.Auth // mu: takes the broker's answers to a re-authentication, one at a time
	ready        bool               // mu: Connected was reported
	probing      bool               // mu: one thing at a time, see suspicion
	awaitingPing bool               // mu: a probing connection waits for the answer to its first ping
	gotPacket    bool               // mu: something came after CONNACK
	lastPublish  time.Duration      // mu: last PUBLISH, since start; 0: none
	lastAlias    time.Duration      // mu: last one with a topic alias, since start; 0: none
	lastAck      time.Duration      // mu: last answer to a PUBLISH or a request, since start
	overtakenAt  time.Duration      // mu: since when session.overtaken is, since start
	lastRefusal  time.Duration      // mu: last refusal of a message, since start; 0: none
	progress     bool               // mu: a message was accepted
	pingSent     time.Duration      // mu: when the PINGREQ that waits for an answer was written, since start; 0: none

	held      []*receipt          // mu: inbound QoS 1 and 2 messages without PUBACK or PUBREC, in the order of arrival
	heldBytes int                 // mu: what they take
	unacked1  int                 // mu: how many of them have QoS 1
	unacked2  map[uint16]struct{} // mu: inbound QoS 2 messages of this connection without PUBCOMP
	excess    time.Duration       // mu: since when the broker exceeds the Receive Maximum, since start; 0: it does not

	inAliases map[uint16]string // the reader's: topic aliases of the broker, at most TopicAliasMaximum

	outAliases topicAliases   // the writer's: aliases of the client
	publish    packet.Publish // the writer's, to be used again
	lastWrite  time.Duration  // the writer's, since start
	paced      time.Duration  // the writer's: how long the next PUBLISH waits for the pace
	urgent     bool           // the writer's: what waits to be written has to be in the message store first
}

// A closing is the DISCONNECT that ends a connection in order, and the error that is its cause, nil
// after Close.
type closing struct {
	packet packet.Disconnect
	err    error
}

const (
	// closeTimeout is how long a connection may take to end in order, and lingerTimeout how long
	// the broker may take to close it.
	closeTimeout  = 3 * time.Second
	lingerTimeout = time.Second
	// pingTimeout is how long the broker may take to answer a ping, counted from the last byte it
	// sent: on a slow link the answer waits behind a large message. Bytes put it off no longer than
	// Config.AckTimeout, for a broker that sends without reading.
	pingTimeout = 20 * time.Second
	// excessTimeout is how long the broker may exceed the Receive Maximum. Mosquitto 2.0 does so in
	// bursts (measured: 145 instead of 32), and leaving it at once would only make it send the same
	// again.
	excessTimeout = 2 * time.Second
	// minPacketSize is the Maximum Packet Size that the client's answers need at least: that of an
	// acknowledgement. PINGREQ and DISCONNECT are smaller.
	minPacketSize = 4
	// maxControl is how many bytes of answers may wait for a broker that does not read before
	// reading stops.
	maxControl = 64 << 10
	// heldPackets times Config.MaximumPacketSize is how many bytes of messages may wait for the
	// handler before reading stops.
	heldPackets = 4
)

func newConn(c *Client, nc net.Conn) *conn {
	return &conn{
		c: c, nc: nc, start: time.Now(), silent: true,
		writerWake: make(chan struct{}, 1), readerWake: make(chan struct{}, 1),
		dead: make(chan struct{}), readerDone: make(chan struct{}),
		unacked2: make(map[uint16]struct{}), inAliases: make(map[uint16]string),
	}
}

// now returns the time since the connection began. It is never 0.
func (n *conn) now() time.Duration { return time.Since(n.start) + 1 }

// wakeWriterLocked wakes the writer if it waits.
func (n *conn) wakeWriterLocked() {
	if n.idle {
		n.idle = false
		wake(n.writerWake)
	}
}

// replyLocked queues a packet for the writer.
func (n *conn) replyLocked(p packet.Packet) {
	if a, ok := p.(*packet.PublishAck); ok && n.negotiated.MaximumPacketSize == minPacketSize {
		p = &packet.PublishAck{Type: a.Type, ID: a.ID} // a reason code would be too much [MQTT-3.2.2-15]
	}
	n.control = p.Append(n.control)
	n.wakeWriterLocked()
}

// leaveLocked ends the connection because of err, in order.
func (n *conn) leaveLocked(code ReasonCode, err error) {
	n.closeLocked(&closing{packet.Disconnect{Code: code}, err})
}

// closeLocked ends the connection in order: what waits is written, then a DISCONNECT.
func (n *conn) closeLocked(p *closing) {
	if n.closing != nil || n.err != nil {
		return
	}
	n.closing = p
	n.wakeWriterLocked()
	time.AfterFunc(closeTimeout, func() { n.nc.Close() }) // against a broker that does not read
}

// failLocked ends the connection at once. The first error counts.
func (n *conn) failLocked(err error) {
	if n.err != nil {
		return
	}
	if n.closing != nil {
		err = n.closing.err
		if err == nil {
			err = ErrClosed
		}
	}
	n.err = err
	close(n.dead)
	n.nc.Close()
}

// fail is failLocked for callers that do not hold mu.
func (n *conn) fail(err error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.failLocked(err)
}

// serve runs the connection until it ends and returns why. begun is called, on the calling
// goroutine, when Config.Subscriptions are answered.
func (n *conn) serve(deadline time.Time, begun func(Negotiated)) error {
	subscribed := n.subscribeAll(deadline) // before the writer begins with messages that wait
	var goroutines sync.WaitGroup
	goroutines.Go(func() {
		defer close(n.readerDone)
		n.fail(n.read())
	})
	goroutines.Go(func() { n.fail(n.write()) })

	if err := subscribed(); err != nil {
		n.fail(err)
	} else {
		begun(n.negotiated)
		n.renew()
	}
	goroutines.Wait()

	n.c.mu.Lock()
	e := n.endingLocked()
	n.c.conn = nil
	n.c.session.suspend()
	n.c.resetRequestsLocked()
	n.c.mu.Unlock()
	n.c.learn(e)
	return n.err
}

// subscribeAll makes Config.Subscriptions, one request for each identifier, and the one to the
// response topic if that is in use. Those that the broker's CONNACK rules out are not asked for.
// The function that it returns waits for the answers and notes them in negotiated.
func (n *conn) subscribeAll(deadline time.Time) (wait func() error) {
	granted := make([]ReasonCode, len(n.c.cfg.Subscriptions))
	var requests []*request
	places := make(map[*request][]int) // in granted
	add := func(place int, s Subscription) *request {
		most := n.c.cfg.FiltersMax
		i := slices.IndexFunc(requests, func(r *request) bool { return r.subs[0].ID == s.ID && (most == 0 || len(r.subs) < most) })
		if i < 0 || n.c.suspect.oneFilter {
			i = len(requests)
			requests = append(requests, &request{answer: make(chan answer, 1), once: true, place: place})
		}
		requests[i].subs = append(requests[i].subs, s)
		requests[i].user = append(requests[i].user, s.UserProperties...)
		return requests[i]
	}
	for i, s := range n.c.cfg.Subscriptions {
		if o := n.c.suspect.skipped[i]; time.Now().Before(o.until) {
			granted[i] = o.code
			continue
		}
		for j, f := range n.filters(s) {
			if code := n.unsupported(f); code != 0 {
				granted[i] = worst(granted[i], code, j == 0)
				continue
			}
			r := add(i, f)
			places[r] = append(places[r], i)
		}
	}
	n.c.mu.Lock()
	if n.c.responses.subscribed {
		requests = append(requests, &request{answer: make(chan answer, 1), once: true, responses: true, subs: make([]Subscription, 1)})
	}
	n.c.requests = append(n.c.requests, requests...)
	n.c.mu.Unlock()

	return func() error { return n.awaitSubscriptions(deadline, requests, places, granted) }
}

// awaitSubscriptions waits for the answers to requests; places has where their codes belong in
// granted.
func (n *conn) awaitSubscriptions(deadline time.Time, requests []*request, places map[*request][]int, granted []ReasonCode) error {
	noted := make(map[int]bool) // places that have an answer
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	for _, r := range requests {
		select {
		case a := <-r.answer:
			switch {
			case r.responses && a.err != nil:
				n.c.cfg.Log.Warn("subscription to the response topic refused", "filter", r.subs[0].Filter, "err", a.err)
			case a.ack.Codes == nil:
				return a.err
			}
			for j, i := range places[r] {
				granted[i] = worst(granted[i], a.ack.Codes[j], !noted[i])
				noted[i] = true
			}
		case <-timeout.C:
			return violation("no SUBACK within %v", n.c.cfg.ConnectTimeout)
		case <-n.dead:
		}
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.negotiated.Granted = granted
	n.ready = n.err == nil
	return n.err
}

// filters returns what is asked for instead of s on this connection: s itself, or its Alternatives.
func (n *conn) filters(s Subscription) []Subscription {
	if len(s.Alternatives) == 0 || n.unsupported(s) != packet.WildcardSubscriptionsNotSupported {
		return []Subscription{s}
	}
	instead := make([]Subscription, len(s.Alternatives))
	for i, f := range s.Alternatives {
		instead[i] = s
		instead[i].Filter = f
	}
	return instead
}

// worst returns the worse of two answers to what stands for one subscription: a refusal, or the
// lower QoS.
func worst(a, b ReasonCode, first bool) ReasonCode {
	switch {
	case first:
		return b
	case a.Failed():
		return a
	case b.Failed():
		return b
	}
	return min(a, b)
}
