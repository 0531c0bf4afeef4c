package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// responses are the requests of Request that wait for their answers. All answers come on one topic,
// by one subscription; the correlation data says which request they are for.
type responses struct {
	// begins the correlation data, so that answers to an earlier process are known as such
	secret [8]byte
	sem    chan struct{} // holds one value while the subscription is being made

	// Client.mu guards what follows.
	topic      string // of the current connection, or the last one
	subscribed bool   // subscribed to; every later connection does it again
	serial     uint64
	waiting    map[string]chan *Message // by correlation data, at most Config.MaxQueued
}

func (s *responses) init() {
	_, _ = rand.Read(s.secret[:]) // it never fails
	s.sem = make(chan struct{}, 1)
	s.waiting = make(map[string]chan *Message)
}

// Request publishes m and waits for the response: a message on the response topic that has the
// correlation data of m. Request sets the response topic and the correlation data itself; both must
// be empty in m. The response belongs to the caller. Responses do not wait for the handler, so a
// handler may call Request. Responses that nobody is waiting for any more are acknowledged and
// discarded.
//
// The first Request subscribes to the response topic (see Config.ResponseTopic); if there is no
// connection, it waits for one.
//
// The errors are those of Subscribe and Publish. In addition, ErrQueueFull means that
// Config.MaxQueued requests are waiting, and a *ReasonError with code 0x10 that nobody has
// subscribed to m's topic.
//
// If ctx ends, or the client, before the response comes, a request that was not sent yet is
// withdrawn. ErrUncertain means that the request was sent and may have been delivered; without
// ErrUncertain it was withdrawn, or the broker has accepted it, as the text of the error says. When
// Request returns, m belongs to the caller again.
func (c *Client) Request(ctx context.Context, m *Message) (*Message, error) {
	if m.ResponseTopic != "" || m.CorrelationData != nil {
		return nil, fmt.Errorf("%w request to %q: it has a response topic or correlation data of its own", ErrInvalid, m.Topic)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	topic, err := c.subscribeResponses(ctx)
	if err != nil {
		return nil, err
	}
	key, answer, err := c.registerRequest()
	if err != nil {
		return nil, err
	}
	defer c.unregisterRequest(key)

	q := *m
	q.ResponseTopic, q.CorrelationData = topic, []byte(key)
	settled := make(chan error, 1)
	x, serial, err := c.send(&q, func(a PublishResult, err error) {
		if err == nil && a.Code == packet.NoMatchingSubscribers {
			err = &ReasonError{Packet: packet.PUBACK.String(), Code: a.Code, Reason: a.Reason, UserProperties: a.UserProperties}
		}
		settled <- err
	})
	if err != nil {
		return nil, err
	}
	published := false
	for {
		select {
		case r := <-answer:
			c.withdraw(x, serial)
			return r, nil
		case err := <-settled:
			if err != nil {
				return nil, err
			}
			published = true
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-c.stop.Done():
			err = ErrClosed
		}
		if c.withdraw(x, serial) == removed {
			return nil, fmt.Errorf("mqtt: request to %q was not sent: %w", m.Topic, err)
		}
		if !published {
			err = fmt.Errorf("%w: %w", ErrUncertain, err)
		}
		return nil, fmt.Errorf("mqtt: no answer to a request to %q: %w", m.Topic, err)
	}
}

// subscribeResponses subscribes to the response topic unless that was done before, and returns the
// topic.
func (c *Client) subscribeResponses(ctx context.Context) (topic string, err error) {
	s := &c.responses
	select {
	case s.sem <- struct{}{}:
		defer func() { <-s.sem }()
	case <-ctx.Done():
		return "", fmt.Errorf("mqtt: no subscription to the response topic: %w", context.Cause(ctx))
	}
	c.mu.Lock()
	topic, used := s.topic, s.subscribed
	c.mu.Unlock()
	if used {
		return topic, nil
	}
	if _, err := c.request(ctx, &request{subs: make([]Subscription, 1), responses: true}); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.topic, nil
}

// registerRequest makes correlation data and the channel for the message that will carry it.
func (c *Client) registerRequest() (key string, answer chan *Message, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.responses
	if len(s.waiting) >= c.cfg.MaxQueued {
		return "", nil, ErrQueueFull
	}
	s.serial++
	key = string(binary.BigEndian.AppendUint64(s.secret[:], s.serial))
	answer = make(chan *Message, 1)
	s.waiting[key] = answer
	return key, answer, nil
}

func (c *Client) unregisterRequest(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.responses.waiting, key)
}

// deliverLocked gives m to the request that waits for it and reports whether it came on the
// response topic.
func (s *responses) deliverLocked(m *Message) bool {
	if !s.subscribed || m.Topic != s.topic {
		return false
	}
	key := string(m.CorrelationData)
	if answer := s.waiting[key]; answer != nil {
		delete(s.waiting, key)
		answer <- m
	}
	return true
}

// subscriptionLocked is that to the response topic.
func (s *responses) subscriptionLocked() Subscription {
	return Subscription{Filter: s.topic, QoS: AtLeastOnce, RetainHandling: RetainDoNotSend}
}

// responseTopic returns the topic for answers on the connection.
func (n *conn) responseTopic() string {
	if t := n.c.cfg.ResponseTopic; t != "" {
		return t
	}
	if t := strings.TrimSuffix(n.negotiated.ResponseInformation, "/"); packet.ValidTopic(t) {
		return t + "/response"
	}
	if t := "response/" + n.negotiated.ClientID; packet.ValidTopic(t) {
		return t
	}
	return fmt.Sprintf("response/%x", n.c.responses.secret)
}
