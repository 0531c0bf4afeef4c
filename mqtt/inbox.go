package mqtt

import (
	"context"
	"fmt"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// An arrival is a received PUBLISH, or the PUBREL of an accepted one if message is nil.
type arrival struct {
	conn     *conn
	id       uint16
	message  *Message
	receipt  *receipt // of a QoS 1 or 2 message
	response bool     // for Request, not for the handler
}

// An inbox gives received messages to the handler, one at a time in the order of arrival, on its
// own goroutine. Acknowledgements follow the handler, or Message.Ack.
//
// QoS 1 and 2 messages in it are bounded by the Receive Maximum, QoS 0 messages by maxQoS0 and by
// the memory that one packet of maximum size takes; more of them are dropped and counted.
type inbox struct {
	c         *Client
	waiting   []arrival // guarded by Client.mu, as all that follows
	qos0      int
	qos0Bytes int
	wake      chan struct{}
}

const maxQoS0 = 256

func (b *inbox) init(c *Client) { b.c, b.wake = c, make(chan struct{}, 1) }

func (b *inbox) addLocked(a arrival) {
	if m := a.message; m != nil && m.QoS == AtMostOnce {
		if b.qos0 == maxQoS0 || b.qos0 > 0 && b.qos0Bytes+len(m.Payload) > int(b.c.cfg.MaximumPacketSize) {
			b.c.stats.Dropped++
			return
		}
		b.qos0++
		b.qos0Bytes += len(m.Payload)
	}
	b.waiting = append(b.waiting, a)
	wake(b.wake)
}

// run serves arrivals until ctx ends.
func (b *inbox) run(ctx context.Context) {
	for ctx.Err() == nil {
		a, ok := b.take()
		if !ok {
			select {
			case <-b.wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := b.serve(ctx, a); err != nil {
			a.conn.c.mu.Lock()
			a.conn.leaveLocked(packet.ImplementationSpecificError, err)
			a.conn.c.mu.Unlock()
		}
	}
}

// take removes the first arrival. Those of a connection that has ended, or is to end, are left out
// if the broker will repeat them: after a message that the handler did not accept no later one may
// be given to it.
func (b *inbox) take() (a arrival, ok bool) {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	for len(b.waiting) > 0 {
		a, b.waiting[0] = b.waiting[0], arrival{}
		b.waiting = b.waiting[1:]
		if len(b.waiting) == 0 {
			b.waiting = nil
		}
		if a.message != nil && a.message.QoS == AtMostOnce {
			b.qos0--
			b.qos0Bytes -= len(a.message.Payload)
			return a, true
		}
		if a.conn == b.c.conn && a.conn.closing == nil && a.conn.err == nil {
			return a, true
		}
	}
	return arrival{}, false
}

// serve handles one arrival. An error is a reason to leave the connection; the broker delivers
// again on the next one.
func (b *inbox) serve(ctx context.Context, a arrival) error {
	switch {
	case a.message == nil:
		return b.release(ctx, a)
	case a.response, a.message.QoS == ExactlyOnce && b.accepted(a):
		return b.accept(ctx, a.receipt)
	}
	if err := b.c.cfg.Handler(ctx, a.message); err != nil {
		if a.message.QoS == AtMostOnce {
			b.c.cfg.Log.Warn("handler refused a QoS 0 message", "topic", a.message.Topic, "err", err)
			return nil
		}
		return fmt.Errorf("mqtt: handler refused a message on %q: %w", a.message.Topic, err)
	}
	b.c.mu.Lock()
	b.c.stats.Received++
	b.c.mu.Unlock()
	if a.receipt == nil || b.c.cfg.ManualAck {
		return nil
	}
	return b.accept(ctx, a.receipt)
}

func (b *inbox) accepted(a arrival) bool {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	_, ok := b.c.session.received[a.id]
	return ok
}

// release answers a PUBREL when it is durable that the identifier is free.
func (b *inbox) release(ctx context.Context, a arrival) error {
	b.c.mu.Lock()
	if a.conn.epoch == b.c.epoch {
		delete(b.c.session.received, a.id)
		b.c.factsChangedLocked()
	}
	b.c.mu.Unlock()
	if err := b.c.saveFacts(ctx); err != nil {
		return err
	}
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if a.conn == b.c.conn {
		delete(a.conn.unacked2, a.id)
		a.conn.noteExcessLocked()
		a.conn.replyLocked(&packet.PublishAck{Type: packet.PUBCOMP, ID: a.id})
	}
	return nil
}
