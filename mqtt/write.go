package mqtt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	// flushSize is the most that one write carries, except one larger packet: the payload of one
	// TLS record.
	flushSize = 16 << 10
	// keptBuffer is the largest buffer to keep after a large packet.
	keptBuffer = 64 << 10
)

// write collects packets and writes them, everything that may be sent at a time with one call,
// until the connection ends. It also watches the clock: pings and timeouts.
func (n *conn) write() error {
	var buf []byte
	var written []settlement // QoS 0 messages in buf
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		n.c.mu.Lock()
		next, err := n.watchLocked()
		if err != nil {
			n.leaveLocked(leaveCode(err), err)
		}
		n.paced = time.Hour
		buf, written = n.collectLocked(buf[:0], written[:0])
		next = min(next, n.paced)
		closing := n.closing
		n.idle = len(buf) == 0
		n.urgent = n.c.journal.urgent
		n.c.mu.Unlock()
		if closing != nil {
			return n.sendDisconnect(buf, written, closing)
		}
		if len(buf) > 0 {
			if err := n.flush(buf, written); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					n.awaitReader() // for a DISCONNECT that says why the broker has closed
				}
				return err
			}
			if cap(buf) > keptBuffer {
				buf = nil
			}
			continue
		}
		alarm.Reset(next)
		select {
		case <-n.writerWake:
		case <-alarm.C:
		case <-n.dead:
			return nil
		}
	}
}

// collectLocked appends what may be sent now to b: answers first, then requests, then messages as
// the window allows.
func (n *conn) collectLocked(b []byte, written []settlement) ([]byte, []settlement) {
	if len(n.control) > 0 {
		b = append(b, n.control...)
		n.control = n.control[:0]
		wake(n.readerWake)
	}
	if n.closing != nil {
		return b, written
	}
	if n.awaitingPing {
		return b, written
	}
	now := time.Now()
	for i := 0; i < len(n.c.requests) && len(b) < flushSize; {
		if n.probing && len(b) > 0 || n.subscribingLocked() {
			return b, written
		}
		if r := n.c.requests[i]; r.id == 0 {
			if b = n.appendRequestLocked(b, r, now); r.id == 0 {
				continue // it was dropped
			}
		}
		i++
	}
	if n.subscribingLocked() {
		return b, written
	}
	for x := n.c.session.next(); x != nil; x = n.c.session.next() {
		if n.probing && (n.c.session.inFlight() > 0 || len(b) > 0) {
			break
		}
		if x.sentAt.IsZero() {
			n.probing = false // what was sent before has been answered
		}
		size, err := n.prepareLocked(x, now)
		if err != nil {
			n.c.session.settle(x)
			n.c.settleLocked(x, PublishResult{}, err)
			continue
		}
		if len(b) > 0 && len(b)+size+aliasCost > flushSize {
			break
		}
		if n.c.session.exhausted(x) {
			break
		}
		if n.paced = n.c.pace.take(size, now); n.paced > 0 {
			break
		}
		n.paced = time.Hour
		dup := n.c.session.send(x, now)
		n.publish.Dup, n.publish.ID = dup, x.id
		if !dup { // a repetition must be understood on a connection that knows no alias
			n.c.journal.sentLocked(x, &n.publish)
			n.shorten(&n.publish, size)
		}
		b = n.publish.Append(b)
		n.lastPublish = n.now()
		n.c.stats.Published++
		if dup {
			n.c.stats.Retransmitted++
		}
		if x.qos == AtMostOnce {
			written = append(written, settlement{done: x.done})
			n.c.recycleLocked(x)
		}
	}
	n.publish = packet.Publish{} // it refers to memory that may soon belong to another owner
	return b, written
}

// subscribingLocked reports whether a probing connection waits for the answer to one of its own
// subscriptions.
func (n *conn) subscribingLocked() bool {
	return n.probing && slices.ContainsFunc(n.c.requests, func(r *request) bool { return r.once && r.id != 0 })
}

// prepareLocked makes n.publish the packet of x, except Dup and ID, and returns its size, or why it
// cannot be sent on this connection.
func (n *conn) prepareLocked(x *exchange, now time.Time) (size int, err error) {
	m, g := x.msg, &n.negotiated
	switch {
	case m.QoS > g.MaximumQoS: // [MQTT-3.2.2-11]
		return 0, fmt.Errorf("mqtt: message for %q has QoS %d, the broker takes %d: %w", m.Topic, m.QoS, g.MaximumQoS, ErrNotSupported)
	case m.Retain && !g.RetainAvailable: // [MQTT-3.2.2-14]
		return 0, fmt.Errorf("mqtt: message for %q is to be retained, the broker keeps none: %w", m.Topic, ErrNotSupported)
	}
	if err := x.expired(now); err != nil {
		return 0, err
	}
	m.encode(&n.publish)
	if !x.expires.IsZero() {
		if x.id == 0 {
			x.expiry = seconds(x.expires.Sub(now))
		}
		n.publish.Properties.MessageExpiry = x.expiry
		n.publish.Properties.Present |= packet.Props(packet.PropMessageExpiry)
	}
	size = n.publish.Size()
	if size > int(g.MaximumPacketSize) { // [MQTT-3.2.2-15]
		return 0, fmt.Errorf("mqtt: message for %q takes %d bytes, the broker %d: %w", m.Topic, size, g.MaximumPacketSize, ErrTooLarge)
	}
	return size, nil
}

// flush writes buf, when what it repeats after a restart is durable, and settles the QoS 0 messages
// in it.
func (n *conn) flush(buf []byte, written []settlement) (err error) {
	if n.urgent {
		err = n.c.saveMessages(n.c.stop)
	}
	if err == nil {
		if _, err = n.nc.Write(buf); err != nil {
			err = fmt.Errorf("mqtt: writing: %w", err)
		}
	}
	n.lastWrite = n.now()
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.c.stats.Writes++
	for _, s := range written {
		if err != nil {
			s.err = ErrUncertain
			n.c.stats.Failed++
		} else {
			n.c.stats.Acked++
		}
		n.c.settler.addLocked(s)
	}
	clear(written)
	return err
}

// sendDisconnect writes what is left and the DISCONNECT, and gives the broker a moment to close
// first: closing with unread input could destroy what was written.
func (n *conn) sendDisconnect(buf []byte, written []settlement, p *closing) error {
	d := p.packet
	if d.Size() > int(n.negotiated.MaximumPacketSize) { // [MQTT-3.14.2-3] and [MQTT-3.14.2-4]
		d.Properties.Present &= packet.Props(packet.PropSessionExpiry)
	}
	buf = d.Append(buf)
	if err := n.flush(buf, written); err != nil {
		return err
	}
	half, ok := n.nc.(interface{ CloseWrite() error })
	_, paused := p.err.(*pausing)
	if p.err != nil && !paused || !ok || half.CloseWrite() != nil {
		return p.err
	}
	n.awaitReader()
	return p.err
}

// awaitReader gives the reader a moment to come to the end of what the broker sent.
func (n *conn) awaitReader() {
	linger := time.NewTimer(lingerTimeout)
	defer linger.Stop()
	select {
	case <-n.readerDone:
	case <-n.dead:
	case <-linger.C:
	}
}

// watchLocked looks after the time: it queues a PINGREQ when either direction was idle for 3/4 of
// the keep alive, and returns an error when the broker answers neither pings nor messages. next is
// when to look again.
func (n *conn) watchLocked() (next time.Duration, err error) {
	next = time.Hour
	now := n.now()
	read := time.Duration(n.lastRead.Load())
	if n.pingSent > 0 && !n.fullLocked() { // the answer may wait to be read
		deadline := max(n.pingSent, read) + pingTimeout
		if n.c.cfg.AckTimeout > 0 {
			deadline = min(deadline, n.pingSent+max(n.c.cfg.AckTimeout, pingTimeout))
		}
		overdue := deadline - now
		if overdue <= 0 {
			return 0, &breach{packet.UnspecifiedError, fmt.Errorf("no answer to a ping within %v", now-n.pingSent)}
		}
		next = min(next, overdue)
	} else if n.negotiated.KeepAlive > 0 {
		due := min(read, n.lastWrite) + n.negotiated.KeepAlive*3/4 - now
		if due <= 0 {
			n.pingSent = now
			n.control = (&packet.Ping{Type: packet.PINGREQ}).Append(n.control)
			due = pingTimeout
		}
		next = min(next, due)
	}
	if n.excess > 0 {
		left := n.excess + excessTimeout - now
		if left <= 0 {
			return 0, &breach{packet.ReceiveMaximumExceeded, fmt.Errorf("more than %d messages without acknowledgement", n.c.cfg.ReceiveMaximum)}
		}
		next = min(next, left)
	}
	if since, ok := n.oldestUnansweredLocked(); ok && n.c.cfg.AckTimeout > 0 {
		stalled := time.Until(since.Add(n.c.cfg.AckTimeout))
		if stalled <= 0 {
			return 0, &breach{packet.UnspecifiedError, fmt.Errorf("%d messages in flight, %w for %v", n.c.session.inFlight(), errNoAck, n.c.cfg.AckTimeout)}
		}
		next = min(next, stalled)
	}
	if n.c.session.overtaken != nil && n.c.cfg.AckTimeout > 0 {
		left := n.overtakenAt + n.c.cfg.AckTimeout - now
		if left <= 0 {
			return 0, &breach{packet.UnspecifiedError, fmt.Errorf("a message was not acknowledged, although later ones were %v ago: the broker has discarded it", n.c.cfg.AckTimeout)}
		}
		next = min(next, left)
	}
	return next, nil
}

// oldestUnansweredLocked returns the time since which the broker owes an answer and has given none.
func (n *conn) oldestUnansweredLocked() (since time.Time, ok bool) {
	note := func(sent time.Time) {
		if !ok || sent.Before(since) {
			since, ok = sent, true
		}
	}
	if x := n.c.session.unacked.head; x != nil {
		note(x.sentAt)
	}
	if x := n.c.session.released.head; x != nil {
		note(x.sentAt)
	}
	for _, r := range n.c.requests {
		if r.id != 0 {
			note(r.sentAt)
		}
	}
	if lastAck := n.start.Add(n.lastAck); since.Before(lastAck) {
		since = lastAck
	}
	return since, ok
}
