package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Send queues m and returns at once. While the client is offline, messages wait. Messages of
// one Priority are sent in the order of the calls.
//
// If Send returns an error, nothing was queued and done is not called. Otherwise done, which may be
// nil, is called exactly once with the final outcome:
//
//   - nil and the broker's PublishResult, if the broker accepted m; with QoS 0, when m has been
//     written;
//   - a *ReasonError, if the broker refused m;
//   - ErrTooLarge, ErrNotSupported or ErrExpired, if m could not be sent;
//   - ErrRejectedByDisconnect, if the broker ends the connection at m;
//   - ErrClosed, if the client ended before m was sent, or ErrWithdrawn, if Withdraw took it back;
//   - ErrUncertain, if m was sent, but the client ended before the acknowledgement or, with QoS 0,
//     the connection failed while m was being written.
//
// m, and what it refers to, belong to the client until done is called: without a done function, for
// good. The done functions of all messages are called one at a time, on one goroutine of the
// client. They must not block; in particular they must not call Publish or Request, whose outcomes
// would have to wait for them. They may call Send.
func (c *Client) Send(m *Message, done func(PublishResult, error)) error {
	_, _, err := c.send(m, done)
	return err
}

// send also returns what withdraw needs to find the message again.
func (c *Client) send(m *Message, done func(PublishResult, error)) (x *exchange, serial uint64, err error) {
	if err := m.check(); err != nil {
		return nil, 0, err
	}
	if len(m.Payload) > packet.MaxLength {
		return nil, 0, fmt.Errorf("mqtt: %d bytes of payload for %q: %w", len(m.Payload), m.Topic, ErrTooLarge)
	}
	var expires time.Time
	if m.Expiry != nil {
		expires = time.Now().Add(*m.Expiry)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil, 0, ErrClosed
	}
	if c.pending >= c.cfg.MaxQueued {
		return nil, 0, ErrQueueFull
	}
	if x = c.free; x != nil {
		c.free = x.next
	} else {
		x = new(exchange)
	}
	c.serial++
	*x = exchange{msg: m, done: done, qos: m.QoS, expires: expires, serial: c.serial}
	c.pending++
	c.session.enqueue(x)
	if !expires.IsZero() && (c.settler.expiry.IsZero() || expires.Before(c.settler.expiry)) {
		c.settler.expiry = expires
		wake(c.settler.wake)
	}
	if c.conn != nil && c.conn.idle && c.session.next() != nil {
		c.conn.wakeWriterLocked()
	}
	return x, x.serial, nil
}

// Publish sends m and waits for the outcome; the errors are those of Send and of its done function.
// If ctx ends first, a message that was not sent yet is withdrawn. One that was sent is still
// delivered if possible, and the error is also ErrUncertain. When Publish returns, m belongs to the
// caller again.
func (c *Client) Publish(ctx context.Context, m *Message) (PublishResult, error) {
	type outcome struct {
		ack PublishResult
		err error
	}
	result := make(chan outcome, 1)
	x, serial, err := c.send(m, func(a PublishResult, err error) { result <- outcome{a, err} })
	if err != nil {
		return PublishResult{}, err
	}
	select {
	case o := <-result:
		return o.ack, o.err
	case <-ctx.Done():
	}
	switch c.withdraw(x, serial) {
	case settling:
		o := <-result
		return o.ack, o.err
	case removed:
		return PublishResult{}, fmt.Errorf("mqtt: publish to %q was not sent: %w", m.Topic, context.Cause(ctx))
	}
	return PublishResult{}, fmt.Errorf("mqtt: publish to %q: %w: %w", m.Topic, ErrUncertain, context.Cause(ctx))
}

// A withdrawal is what became of a message that its sender no longer waits for.
type withdrawal int

const (
	settling withdrawal = iota // its outcome is on its way
	removed                    // it was not sent and is forgotten
	detached                   // it was sent; if it is in flight the session has its own copy now
)

func (c *Client) withdraw(x *exchange, serial uint64) withdrawal {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case x.serial != serial || x.list == nil:
		return settling
	case x.id == 0:
		sent := !x.sentAt.IsZero() // in a session that was lost
		c.journal.noteLocked(x, MessageDone)
		x.unlink()
		c.pending--
		c.recycleLocked(x)
		if sent {
			return detached
		}
		return removed
	}
	x.msg = x.msg.clone()
	return detached
}

// Withdraw takes back all messages with a Priority below that which were never sent. Their outcome
// is ErrWithdrawn.
func (c *Client) Withdraw(below int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for x := c.session.queue.head; x != nil; {
		next := x.next
		if x.msg.Priority < below && x.sentAt.IsZero() {
			c.session.settle(x)
			c.settleLocked(x, PublishResult{}, ErrWithdrawn)
		}
		x = next
	}
}

func (m *Message) clone() *Message {
	d := *m
	d.Payload = slices.Clone(m.Payload)
	if m.Expiry != nil {
		expiry := *m.Expiry
		d.Expiry = &expiry
	}
	d.CorrelationData = slices.Clone(m.CorrelationData)
	d.UserProperties = slices.Clone(m.UserProperties)
	d.SubscriptionIDs = slices.Clone(m.SubscriptionIDs)
	return &d
}

// recycleLocked keeps x, which is in no list, for another message. There are never more than
// MaxQueued.
func (c *Client) recycleLocked(x *exchange) {
	x.msg, x.done, x.serial, x.next = nil, nil, 0, c.free // no message has the serial 0
	c.free = x
}

// settleLocked hands the outcome of x, which has left the session, to the settler.
func (c *Client) settleLocked(x *exchange, ack PublishResult, err error) {
	c.journal.noteLocked(x, MessageDone)
	switch {
	case err == nil:
		c.stats.Acked++
	case isReason(err):
		c.stats.Refused++
	default:
		c.stats.Failed++
	}
	c.settler.addLocked(settlement{x.done, ack, err})
	c.recycleLocked(x)
}

func isReason(err error) bool {
	_, ok := errors.AsType[*ReasonError](err)
	return ok
}

// A settlement is an outcome that was not yet reported to its done function.
type settlement struct {
	done func(PublishResult, error)
	ack  PublishResult
	err  error
}

// A settler reports outcomes, in order, on its own goroutine, so that a slow done function delays
// neither acknowledgements nor pings. What waits is bounded by MaxQueued, since it counts as
// pending. It also notices messages that expire while they cannot be sent.
type settler struct {
	c       *Client
	waiting []settlement // guarded by Client.mu
	expiry  time.Time    // guarded by Client.mu: no message in the queue expires before, zero: none does
	spare   []settlement
	wake    chan struct{}
}

// minExpiryPause is the shortest time between two searches of the whole queue for expired messages.
const minExpiryPause = 100 * time.Millisecond

func (s *settler) init(c *Client) { s.c, s.wake = c, make(chan struct{}, 1) }

func (s *settler) addLocked(o settlement) {
	s.waiting = append(s.waiting, o)
	if len(s.waiting) == 1 {
		wake(s.wake)
	}
}

func (s *settler) run(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(s.expire())
		s.flush()
		select {
		case <-s.wake:
		case <-alarm.C:
		case <-ctx.Done():
			s.flush()
			return
		}
	}
}

// expire settles the messages that have expired and returns when to look again.
func (s *settler) expire() time.Duration {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	now := time.Now()
	if s.expiry.IsZero() {
		return time.Hour
	}
	if !now.Before(s.expiry) {
		var over []*exchange
		over, s.expiry = s.c.session.expire(now)
		for _, x := range over {
			s.c.settleLocked(x, PublishResult{}, x.expired(now))
		}
		if s.expiry.IsZero() {
			return time.Hour
		}
	}
	return max(s.expiry.Sub(now), minExpiryPause)
}

// flush reports everything that is waiting.
func (s *settler) flush() {
	for {
		s.c.mu.Lock()
		batch := s.waiting
		s.waiting = s.spare[:0]
		s.c.pending -= len(batch)
		s.c.mu.Unlock()
		for _, o := range batch {
			if o.done != nil {
				o.done(o.ack, o.err)
			}
		}
		clear(batch)
		s.spare = batch
		if len(batch) == 0 {
			return
		}
	}
}

// wake wakes the receiver of ch, a channel with a buffer of one.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
