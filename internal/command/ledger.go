package command

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"sync"

	"github.com/fieldgate/fieldgate/buffer"
)

const (
	bucket    = "command"
	ledgerMax = 1000 // commands remembered; the oldest that have ended are forgotten first
)

// entry is a command in the ledger. Reply is nil until it has ended.
type entry struct {
	N           uint64 // rises from command to command
	Op, ID      string
	Args        string // hash
	Topic       string
	Correlation []byte
	Reply       json.RawMessage `json:",omitempty"`
}

// ledger remembers commands in the store, with a copy in memory. begin is called from one goroutine at a time.
type ledger struct {
	store   *buffer.Store
	mu      sync.Mutex
	n       uint64
	entries map[string]entry
}

func openLedger(ctx context.Context, store *buffer.Store) (*ledger, error) {
	l := &ledger{store: store, entries: map[string]entry{}}
	err := store.Each(ctx, bucket, func(key string, value []byte) error {
		var e entry
		if err := json.Unmarshal(value, &e); err != nil {
			return fmt.Errorf("entry %s: %w", key, err)
		}
		l.entries[key] = e
		l.n = max(l.n, e.N)
		return nil
	})
	return l, err
}

func (l *ledger) find(key string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		return &e
	}
	return nil
}

// unfinished returns the commands that have not ended, oldest first.
func (l *ledger) unfinished() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []entry
	for _, e := range l.entries {
		if e.Reply == nil {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].N < out[j].N })
	return out
}

// begin remembers a command durably and forgets the oldest ended one where there are too many.
func (l *ledger) begin(ctx context.Context, key string, e entry) error {
	l.mu.Lock()
	e.N = l.n + 1
	oldest := ""
	if len(l.entries) >= ledgerMax {
		for k, o := range l.entries {
			if o.Reply != nil && (oldest == "" || o.N < l.entries[oldest].N) {
				oldest = k
			}
		}
	}
	l.mu.Unlock()
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = l.store.Update(ctx, func(tx *buffer.Tx) error {
		if oldest != "" {
			if err := tx.Delete(bucket, oldest); err != nil {
				return err
			}
		}
		return tx.Put(bucket, key, value)
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n = e.N
	l.entries[key] = e
	delete(l.entries, oldest)
	return nil
}

// end keeps the reply of a command; with runs in the same transaction.
func (l *ledger) end(ctx context.Context, key string, e entry, with func(*buffer.Tx) error) error {
	if before := l.find(key); before != nil {
		e.N = before.N
	}
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = l.store.Update(ctx, func(tx *buffer.Tx) error {
		if err := with(tx); err != nil {
			return err
		}
		return tx.Put(bucket, key, value)
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[key] = e
	return nil
}
