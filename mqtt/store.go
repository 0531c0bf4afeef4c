package mqtt

import (
	"context"
	"slices"
	"sync"
)

// SessionFacts are what a client must remember to resume its session at the broker after a restart.
type SessionFacts struct {
	ClientID    string   // may have been assigned by the broker
	Established bool     // the broker may hold a session for ClientID
	Received    []uint16 // identifiers of inbound QoS 2 messages that were accepted and not yet released
}

// A SessionStore keeps the facts over restarts. Save returns when they are durable. Calls are not
// concurrent and are not made on the goroutines that read and write the connection. The caller may
// change facts.Received after Save. Load returns the zero value if nothing was saved.
//
// Outbound messages are not part of the facts: see MessageStore, and "After a restart" in the
// package documentation.
//
// An error of either method ends the connection; the client reconnects after the usual delays.
type SessionStore interface {
	Load(ctx context.Context) (SessionFacts, error)
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
