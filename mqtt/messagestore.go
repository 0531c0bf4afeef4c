package mqtt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A MessageStore is a SessionStore that also keeps the outbound QoS 1 and 2 messages that were sent
// but not acknowledged. A new process that resumes the session sends them again with the same
// packet identifiers, with DUP, in order [MQTT-4.4.0-1]. Their outcomes are not reported, since the
// done functions belonged to a process that is gone. Messages that fail with ErrUncertain because
// the client ends stay in the store, so the program must not publish them again. Messages that were
// accepted but never sent are not kept.
//
// The goroutine that writes the connection calls Record and waits for it, so Record delays each
// write that carries a new PUBLISH or PUBREL. Run calls it once more at its end. An error of either
// method ends the connection or the attempt to connect.
type MessageStore interface {
	SessionStore
	// Messages returns the messages whose last recorded step is not MessageDone, in the order in
	// which their last steps were recorded. The client calls it before its first connection.
	Messages(ctx context.Context) ([]StoredMessage, error)
	// Record makes changes durable, in their order. changes, and what they refer to, belong to the
	// store from then on, unless Record returns an error: then the client records them again later.
	Record(ctx context.Context, changes []MessageChange) error
}

// A StoredMessage is a message that was sent and has no outcome yet, as the MessageStore returns it
// to a new process.
type StoredMessage struct {
	Serial   uint64 // of its MessageChanges
	Publish  []byte // from its last MessageSent
	Released bool   // its last step is MessageReleased: the client repeats the PUBREL
}

// A MessageChange says that a message has reached a step.
type MessageChange struct {
	Serial  uint64 // names the message in the store; later messages have greater ones
	Step    MessageStep
	Publish []byte // with MessageSent: the encoded PUBLISH; otherwise nil
}

// A MessageStep is a step in the delivery of an outbound message.
type MessageStep byte

// The steps of a message, in their order. If a session was lost, MessageSent comes again for the
// same Serial, with another packet identifier.
const (
	MessageSent     MessageStep = 1 // its PUBLISH is about to be written
	MessageReleased MessageStep = 2 // its PUBREL is about to be written
	MessageDone     MessageStep = 3 // it has its outcome; this may be recorded late
)

// A journal has the changes that the message store has not recorded yet. Client.mu guards it.
type journal struct {
	store   MessageStore // nil: nothing is kept
	changes []MessageChange
	urgent  bool   // there are some that must be durable before the next write
	last    uint64 // the greatest serial in the store
}

// sentLocked notes that x is about to be sent as p, which has no topic alias.
func (j *journal) sentLocked(x *exchange, p *packet.Publish) {
	if j.store == nil || x.qos == AtMostOnce {
		return
	}
	if x.stored == 0 {
		j.last++
		x.stored = j.last
	}
	j.changes = append(j.changes, MessageChange{x.stored, MessageSent, p.Append(nil)})
	j.urgent = true
}

// noteLocked adds a further step of x.
func (j *journal) noteLocked(x *exchange, step MessageStep) {
	if x.stored == 0 {
		return
	}
	j.changes = append(j.changes, MessageChange{Serial: x.stored, Step: step})
	j.urgent = j.urgent || step != MessageDone
}

// newest returns those of changes that say what became of each message: the newest one, and before
// a Released the newest Sent. So what a store refuses again and again does not pile up. A Done
// stays: the store may have had the message before it failed.
func newest(changes []MessageChange) []MessageChange {
	// by serial, the earliest step that was kept
	after := make(map[uint64]MessageStep, len(changes))
	kept := changes[:0:0]
	for _, change := range slices.Backward(changes) {
		next, known := after[change.Serial]
		if known && !(next == MessageReleased && change.Step == MessageSent) {
			continue
		}
		after[change.Serial] = change.Step
		kept = append(kept, change)
	}
	slices.Reverse(kept)
	return kept
}

// saveMessages makes the journal durable. The end of ctx does not keep it from that.
func (c *Client) saveMessages(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.ConnectTimeout)
	defer cancel()
	c.storing.Lock()
	defer c.storing.Unlock()
	c.mu.Lock()
	changes := c.journal.changes
	c.journal.changes, c.journal.urgent = nil, false
	c.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	if err := c.journal.store.Record(ctx, changes); err != nil {
		c.mu.Lock()
		c.journal.changes, c.journal.urgent = newest(append(changes, c.journal.changes...)), true
		c.mu.Unlock()
		return fmt.Errorf("mqtt: session store: %w", err)
	}
	return nil
}

// loadMessages takes over the messages of an earlier process, or forgets them if their session is
// not resumed.
func (c *Client) loadMessages(ctx context.Context, resume bool) error {
	store, ok := c.cfg.Session.(MessageStore)
	if !ok {
		return nil
	}
	c.storing.Lock()
	messages, err := store.Messages(ctx)
	c.storing.Unlock()
	if err != nil {
		return fmt.Errorf("mqtt: session store: %w", err)
	}
	inherited := make([]*exchange, len(messages))
	for i, m := range messages {
		if inherited[i], err = inherit(m, time.Now()); err != nil {
			return fmt.Errorf("mqtt: session store: message %d: %w", m.Serial, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal.store = store
	for i, x := range inherited {
		c.journal.last = max(c.journal.last, x.stored)
		switch {
		case !resume:
			c.journal.noteLocked(x, MessageDone)
		case messages[i].Released:
			c.session.released.pushBack(x)
		}
	}
	if resume {
		c.session.inherit(inherited)
		c.pending += len(inherited)
	}
	return nil
}

// inherit returns the exchange of a stored message.
func inherit(m StoredMessage, now time.Time) (*exchange, error) {
	h, size, err := packet.DecodeHeader(m.Publish)
	if err == nil && (size == 0 || h.Type != packet.PUBLISH || len(m.Publish) != size+h.Length) {
		err = fmt.Errorf("%d bytes are not a PUBLISH", len(m.Publish))
	}
	var p packet.Publish
	if err == nil {
		err = p.Decode(h, slices.Clone(m.Publish[size:]))
	}
	if err != nil {
		return nil, err
	}
	x := &exchange{msg: message(&p), stored: m.Serial, id: p.ID, qos: QoS(p.QoS), sentAt: now}
	if x.msg.Expiry != nil { // how long the program was away is not known
		x.expiry, x.expires = p.Properties.MessageExpiry, now.Add(*x.msg.Expiry)
	}
	return x, nil
}
