package uplink

import (
	"context"
	"errors"
	"log/slog"

	"github.com/fieldgate/fieldgate/buffer"
)

const registry = "retained"

// Register remembers in the store on which topics this configuration keeps a retained message, and
// clears those on which an earlier one did.
func (u *Uplink) Register(ctx context.Context, store *buffer.Store, topics map[string]bool, log *slog.Logger) error {
	known, err := Registered(ctx, store)
	if errors.Is(err, buffer.ErrNotDurable) {
		return nil // the start that has a store does it
	} else if err != nil {
		return err
	}
	var added []string
	for topic := range topics {
		if !known[topic] {
			added = append(added, topic)
		}
	}
	for topic := range known {
		if topics[topic] {
			continue
		}
		u.Set(topic, nil, func() {
			if err := Forget(context.Background(), store, topic); err != nil {
				log.Warn("a cleared topic cannot be forgotten", "topic", topic, "err", err)
			}
		})
	}
	if len(added) == 0 {
		return nil
	}
	err = store.Update(ctx, func(tx *buffer.Tx) error {
		for _, topic := range added {
			if err := tx.Put(registry, topic, []byte{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, buffer.ErrClosed) && ctx.Err() == nil {
		// The next start tries again.
		log.Warn("new retained topics cannot be remembered: they will not be cleared if the configuration drops them before the next start", "topics", len(added), "err", err)
		return nil
	}
	return err
}

// Registered returns the topics on which this configuration, or an earlier one, keeps a retained
// message that was not cleared.
func Registered(ctx context.Context, store *buffer.Store) (map[string]bool, error) {
	topics := map[string]bool{}
	err := store.Each(ctx, registry, func(topic string, _ []byte) error { topics[topic] = true; return nil })
	return topics, err
}

// Forget removes a topic that was cleared.
func Forget(ctx context.Context, store *buffer.Store, topic string) error {
	return store.Update(ctx, func(tx *buffer.Tx) error { return tx.Delete(registry, topic) })
}
