package mqtt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A request is a SUBSCRIBE or UNSUBSCRIBE on its way. It is sent again on the next connection if
// its answer did not come.
type request struct {
	subs      []Subscription // of a SUBSCRIBE
	filters   []string       // of an UNSUBSCRIBE
	user      []UserProperty // of either
	id        uint16         // 0 while it is not sent on this connection
	sentAt    time.Time
	once      bool // of a connection's own subscriptions: not repeated on the next
	place     int  // of subs[0] in Config.Subscriptions, with once
	responses bool // subs[0] is to be the one to the response topic
	// the caller no longer waits; its identifier is in use until the answer or the connection's end
	abandoned bool
	answer    chan answer
}

type answer struct {
	ack SubscriptionResult
	err error
}

func (r *request) finish(ack SubscriptionResult, err error) {
	select {
	case r.answer <- answer{ack, err}:
	default: // answered before
	}
}

// count returns how many codes the answer has.
func (r *request) count() int { return len(r.subs) + len(r.filters) }

func (r *request) answerType() packet.Type {
	if r.subs != nil {
		return packet.SUBACK
	}
	return packet.UNSUBACK
}

// Subscribe makes one or more subscriptions with one SUBSCRIBE, for which all must have the same
// ID, and returns the broker's answer. It waits for a connection; if that ends before the answer,
// the request is sent again on the next one. Subscription.Alternatives are ignored.
//
// If the broker refuses any of the subscriptions, the error is a *ReasonError for the first
// refusal. The result is valid too and shows which ones were granted. ErrNotSupported and
// ErrTooLarge mean that the broker's CONNACK rules the request out, so that nothing was sent. If
// ctx ends first, the subscriptions may or may not have been made.
//
// The subscriptions end with the broker's session (SessionLost). Those that must last belong in
// Config.Subscriptions.
func (c *Client) Subscribe(ctx context.Context, subs ...Subscription) (SubscriptionResult, error) {
	if len(subs) == 0 {
		return SubscriptionResult{}, fmt.Errorf("%w: no subscription", ErrInvalid)
	}
	r := &request{subs: slices.Clone(subs)}
	for _, s := range subs {
		if err := s.check(); err != nil {
			return SubscriptionResult{}, err
		}
		if s.ID != subs[0].ID {
			return SubscriptionResult{}, fmt.Errorf("%w: subscriptions with the identifiers %d and %d in one request", ErrInvalid, subs[0].ID, s.ID)
		}
		r.user = append(r.user, s.UserProperties...)
	}
	return c.request(ctx, r)
}

// Unsubscribe ends the subscriptions to filters with one UNSUBSCRIBE, with the given user
// properties, and returns the broker's answer. Waiting, errors and the end of ctx are as with
// Subscribe. The standard requires a code for every filter; if the broker answers without codes,
// the error says so, and it is not known whether the subscriptions have ended. Filters of
// Config.Subscriptions are subscribed to again on the next connection.
func (c *Client) Unsubscribe(ctx context.Context, filters []string, user ...UserProperty) (SubscriptionResult, error) {
	if len(filters) == 0 {
		return SubscriptionResult{}, fmt.Errorf("%w: no topic filter", ErrInvalid)
	}
	for _, f := range filters {
		if !validFilter(f) {
			return SubscriptionResult{}, fmt.Errorf("%w: %.80q is not a topic filter", ErrInvalid, f)
		}
	}
	if err := checkProperties(user); err != nil {
		return SubscriptionResult{}, err
	}
	return c.request(ctx, &request{filters: slices.Clone(filters), user: slices.Clone(user)})
}

func (c *Client) request(ctx context.Context, r *request) (SubscriptionResult, error) {
	r.answer = make(chan answer, 1)
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return SubscriptionResult{}, ErrClosed
	}
	c.requests = append(c.requests, r)
	if c.conn != nil {
		c.conn.wakeWriterLocked()
	}
	c.mu.Unlock()
	select {
	case a := <-r.answer:
		return a.ack, a.err
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		r.abandoned = true
		if r.id == 0 {
			c.dropRequestLocked(r)
		}
		return SubscriptionResult{}, fmt.Errorf("mqtt: no %v: %w", r.answerType(), context.Cause(ctx))
	}
}

// dropRequestLocked forgets r.
func (c *Client) dropRequestLocked(r *request) {
	c.requests = slices.DeleteFunc(c.requests, func(q *request) bool { return q == r })
}

// resetRequestsLocked notes the end of a connection for the requests.
func (c *Client) resetRequestsLocked() {
	c.requests = slices.DeleteFunc(c.requests, func(r *request) bool {
		if r.id != 0 {
			c.session.ids.remove(r.id)
			r.id = 0
		}
		return r.once || r.abandoned
	})
}

// appendRequestLocked appends the packet of r to b, or finishes r if the broker said that it does
// not take it.
func (n *conn) appendRequestLocked(b []byte, r *request, now time.Time) []byte {
	if r.responses {
		r.subs[0] = n.c.responses.subscriptionLocked()
	}
	if err := n.refuses(r); err != nil {
		r.finish(SubscriptionResult{}, err)
		n.c.dropRequestLocked(r)
		return b
	}
	id := n.c.session.reserve(nil)
	if id == 0 {
		return b
	}
	r.id, r.sentAt = id, now
	if r.filters != nil {
		p := r.unsubscribe()
		p.ID = id
		return p.Append(b)
	}
	p := r.subscribe()
	p.ID = id
	return p.Append(b)
}

func (r *request) unsubscribe() *packet.Unsubscribe {
	p := &packet.Unsubscribe{Filters: r.filters}
	if len(r.user) > 0 {
		p.Properties.UserProperties = r.user
		p.Properties.Present = packet.Props(packet.PropUserProperty)
	}
	return p
}

func (r *request) subscribe() *packet.Subscribe {
	p := new(packet.Subscribe)
	if id := r.subs[0].ID; id != 0 {
		p.Properties.SubscriptionIDs = []uint32{id}
		p.Properties.Present = packet.Props(packet.PropSubscriptionID)
	}
	if len(r.user) > 0 {
		p.Properties.UserProperties = r.user
		p.Properties.Present |= packet.Props(packet.PropUserProperty)
	}
	for _, s := range r.subs {
		p.Subscriptions = append(p.Subscriptions, s.encode())
	}
	return p
}

// refuses returns an error if the broker's CONNACK rules r out.
func (n *conn) refuses(r *request) error {
	var size int
	if r.subs != nil {
		size = r.subscribe().Size()
	} else {
		size = r.unsubscribe().Size()
	}
	if size > int(n.negotiated.MaximumPacketSize) {
		return fmt.Errorf("mqtt: request of %d bytes, the broker takes %d: %w", size, n.negotiated.MaximumPacketSize, ErrTooLarge)
	}
	for _, s := range r.subs {
		if code := n.unsupported(s); code != 0 {
			return fmt.Errorf("mqtt: subscription to %q: %v: %w", s.Filter, code, ErrNotSupported)
		}
	}
	return nil
}

// unsupported returns the code with which the broker would end the connection for s, or 0.
func (n *conn) unsupported(s Subscription) ReasonCode {
	switch {
	case !n.negotiated.SharedSubscriptionAvailable && isShared(s.Filter):
		return packet.SharedSubscriptionsNotSupported
	case !n.negotiated.WildcardSubscriptionAvailable && strings.ContainsAny(s.Filter, "+#"):
		return packet.WildcardSubscriptionsNotSupported
	case !n.negotiated.SubscriptionIdentifierAvailable && s.ID != 0:
		return packet.SubscriptionIDsNotSupported
	}
	return 0
}

// handleSubackLocked handles a SUBACK or UNSUBACK. One for a request that is not known is ignored.
func (n *conn) handleSubackLocked(p *packet.Suback) error {
	i := slices.IndexFunc(n.c.requests, func(r *request) bool { return r.id == p.ID })
	if i < 0 {
		return nil
	}
	r := n.c.requests[i]
	silent := p.Type == packet.UNSUBACK && len(p.Codes) == 0
	if r.answerType() != p.Type || r.count() != len(p.Codes) && !silent {
		return violation("%v with %d codes does not answer its request", p.Type, len(p.Codes))
	}
	n.c.session.ids.remove(r.id)
	n.c.dropRequestLocked(r)
	n.lastAck = n.now()
	n.wakeWriterLocked()
	var err error
	if j := slices.IndexFunc(p.Codes, ReasonCode.Failed); j >= 0 {
		err = reasonError(p.Type, p.Codes[j], &p.Properties)
	} else if silent { // [MQTT-3.11.3-1]
		err = fmt.Errorf("mqtt: UNSUBACK has no code for any of %d topic filters", r.count())
	}
	if r.responses {
		n.c.responses.subscribed = err == nil
	}
	r.finish(SubscriptionResult{p.Codes, p.Properties.ReasonString, p.Properties.UserProperties}, err)
	return nil
}
