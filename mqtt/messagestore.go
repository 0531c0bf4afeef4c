package mqtt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A MessageStore is a SessionStore that also keeps the outbound QoS 1 and 2 messages that were sent
// and not acknowledged, so that [MQTT-4.4.0-1] holds over a restart of the program too: a client
// that resumes the session repeats them under their identifiers, with DUP, in their order. Their
// outcome is not reported: the done functions belonged to a process that is gone. Messages that
// were accepted and never sent are not kept.
//
// Record is called by the goroutine that writes, which waits for it, so it delays each write. An
// error of either method ends the connection.
type MessageStore interface {
	SessionStore
	// Messages returns the messages that are not done, in the order of their newest records.
	Messages(ctx context.Context) ([]StoredMessage, error)
	// Record makes changes durable, in their order. What they refer to belongs to the store from
	// then on.
	Record(ctx context.Context, changes []MessageChange) error
}

// A StoredMessage is a message that was sent and not acknowledged.
type StoredMessage struct {
	Serial   uint64 // unique in the store; later messages have greater ones
	Publish  []byte // the encoded PUBLISH
	Released bool   // PUBREC came: what is repeated is the PUBREL
}

// A MessageChange is a step of a message.
type MessageChange struct {
	Serial  uint64
	Step    MessageStep
	Publish []byte // with MessageSent: the encoded packet
}

// A MessageStep is a state that a message has reached.
type MessageStep byte

// The steps of a message. A message may be sent more than once, under another identifier, if a
// session was lost.
const (
	MessageSent     MessageStep = 1 // its PUBLISH is about to be written
	MessageReleased MessageStep = 2 // its PUBREL is about to be written
	MessageDone     MessageStep = 3 // it is settled; this may be recorded late
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
	after := make(map[uint64]MessageStep, len(changes)) // by serial, the earliest step that was kept
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
