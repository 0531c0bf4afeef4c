package mqtt

import (
	"context"
	"slices"
	"sync"
)

// SessionFacts are what a client must remember to resume its session at the broker after a restart:
// who it is, and which inbound QoS 2 messages it has accepted.
type SessionFacts struct {
	ClientID    string // the one in use, which the broker may have assigned
	Established bool   // the broker may hold a session for ClientID
	// Received are the packet identifiers of the inbound QoS 2 messages that were accepted and that
	// the broker has not released (PUBREL) yet.
	Received []uint16
}

// A SessionStore keeps the facts of one client's session over restarts. Config.Session says which
// one a client uses. The client ignores the facts of another Config.ClientID.
//
// Calls are not concurrent. They are made while connecting, from the goroutine of the handler and
// from callers of Message.Ack, and so delay these, but never from the goroutines that read and
// write the connection. ctx limits the time of a call. An error of either method ends the
// connection or the attempt to connect; the client reconnects after the usual delay and tries
// again.
//
// Outbound messages are not part of the facts: see MessageStore, and "After a restart" in the
// package documentation.
type SessionStore interface {
	// Load returns what was saved last, or the zero value if nothing was. The client calls it
	// before its first connection.
	Load(ctx context.Context) (SessionFacts, error)
	// Save replaces what was saved before, and returns when facts are durable. It must not keep
	// facts.Received, which the client may change afterwards.
	Save(ctx context.Context, facts SessionFacts) error
}

// memoryStore is the SessionStore of a client that keeps its session as long as it lives.
type memoryStore struct {
	mu    sync.Mutex
	facts SessionFacts
}

func (m *memoryStore) Load(context.Context) (SessionFacts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.facts
	f.Received = slices.Clone(f.Received)
	return f, nil
}

func (m *memoryStore) Save(_ context.Context, facts SessionFacts) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	facts.Received = slices.Clone(facts.Received)
	m.facts = facts
	return nil
}
