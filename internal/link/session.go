package link

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/fieldgate/fieldgate/mqtt"
)

// Store is what a Session needs of the store.
type Store interface {
	IsOpen() bool
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte) error
}

// A Session keeps the client's session facts in the store. It implements mqtt.SessionStore.
type Session struct {
	Store  Store
	Closed error  // what Store returns once it is closed
	Client string // its id
	Log    *slog.Logger
}

// Load implements mqtt.SessionStore.
func (s Session) Load(ctx context.Context) (facts mqtt.SessionFacts, err error) {
	if !s.Store.IsOpen() { // the session is most likely there, with the commands that wait in it
		return mqtt.SessionFacts{ClientID: s.Client, Established: true}, nil
	}
	text, err := s.Store.Get(ctx, "mqtt", "session")
	if err != nil || text == nil {
		return facts, err
	}
	return facts, json.Unmarshal(text, &facts)
}

// Save implements mqtt.SessionStore. A store without room is emptied by what is sent: it must not
// keep the client from its broker, which holds the facts in memory meanwhile.
func (s Session) Save(ctx context.Context, facts mqtt.SessionFacts) error {
	text, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	if err = s.Store.Put(ctx, "mqtt", "session", text); err == nil || errors.Is(err, s.Closed) || ctx.Err() != nil {
		return err
	}
	s.Log.Warn("the session with the broker cannot be stored: after a crash the commands that wait there may be lost", "err", err)
	return nil
}
