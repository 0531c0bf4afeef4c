package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

const (
	bucket       = "command"
	ledgerMax    = 960 << 10 // bytes of all entries; of a small store a fortieth
	entryCost    = 64        // bytes of an entry beside its key and value
	replyReserve = 512       // bytes kept for the reply of a command that has not ended
	refusedMax   = 1024      // refusals remembered that have no room in the store
)

// errLedgerFull says that no entry of the command's name may be forgotten yet.
var errLedgerFull = errors.New("the ledger is full")

// entry is a command in the ledger. Reply is nil until it has ended; from then on a repeat says
// where the answer goes.
type entry struct {
	N      uint64 // rises from command to command
	Op, ID string
	Args   string // hash
	// Unix seconds when it came; 0: the time was not known
	At          int64           `json:",omitempty"`
	Topic       string          `json:",omitempty"`
	Correlation []byte          `json:",omitempty"`
	Reply       json.RawMessage `json:",omitempty"`

	since time.Duration // on the clock of Up: when this start of the program came to know it
	cost  int
}

func (e *entry) key() string { return e.Op + "/" + e.ID }

// ledger remembers commands in the store, with a copy in memory. Each command name has its own
// share of the bytes: a flood of one makes the ledger forget nothing of another. put is called for
// a new command from one goroutine at a time.
type ledger struct {
	store *buffer.Store
	share int // bytes of one command name
	keep  time.Duration
	up    func() time.Duration
	now   func() (time.Time, bool)

	mu      sync.Mutex
	n       uint64
	entries map[string]entry
	used    map[string]int // bytes by command name
	refused map[string]refusal
	order   []string // keys of refused, oldest first
}

func openLedger(ctx context.Context, c Config) (*ledger, error) {
	total := int(min(ledgerMax, c.Store.Stats().MaxBytes/40))
	l := &ledger{store: c.Store, share: total / max(len(c.Commands), 1), keep: c.Keep, up: c.Up, now: c.Now,
		entries: map[string]entry{}, used: map[string]int{}, refused: map[string]refusal{}}
	up := c.Up()
	err := c.Store.Each(ctx, bucket, func(key string, value []byte) error {
		var e entry
		if err := json.Unmarshal(value, &e); err != nil || e.key() != key {
			c.Log.Warn("an entry of the command ledger cannot be read: its command may run again", "key", key, "err", err)
			return nil
		}
		e.since = up
		l.setLocked(e, len(value)) // nobody else knows l yet
		return nil
	})
	if errors.Is(err, buffer.ErrNotDurable) {
		c.Log.Warn("the command ledger cannot be read: commands with an id are refused until the store can be opened", "err", err)
		err = nil
	}
	return l, err
}

// setLocked puts an entry of this stored length into memory.
func (l *ledger) setLocked(e entry, length int) {
	e.cost = length + len(e.key()) + entryCost
	if e.Reply == nil {
		e.cost += replyReserve
	}
	l.forgetLocked(e.key())
	l.used[e.Op] += e.cost
	l.entries[e.key()] = e
	l.n = max(l.n, e.N)
}

// forgetLocked drops an entry from memory.
func (l *ledger) forgetLocked(key string) {
	if e, ok := l.entries[key]; ok {
		l.used[e.Op] -= e.cost
		delete(l.entries, key)
	}
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
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.N, b.N) })
	return out
}

// forgettableLocked returns the entries of a command name to forget so that cost more bytes fit
// into its share.
func (l *ledger) forgettableLocked(op string, cost int) ([]string, error) {
	over := l.used[op] + cost - l.share
	if over <= 0 {
		return nil, nil
	}
	var old []entry
	for _, e := range l.entries {
		if e.Op == op && e.Reply != nil && l.expired(e) {
			old = append(old, e)
		}
	}
	slices.SortFunc(old, func(a, b entry) int { return cmp.Compare(a.N, b.N) })
	var keys []string
	for _, e := range old {
		if over <= 0 {
			break
		}
		over -= e.cost
		keys = append(keys, e.key())
	}
	if over > 0 {
		return nil, errLedgerFull
	}
	return keys, nil
}

// expired reports whether the broker can no longer deliver a command once more: its session would
// have ended. The age of what was there before this start is known only if the time is, and was.
func (l *ledger) expired(e entry) bool {
	if l.up()-e.since >= l.keep {
		return true
	}
	now, known := l.now()
	return known && e.At > 0 && now.Sub(time.Unix(e.At, 0)) >= l.keep
}

// fits reports whether a reply of this length fits into the share of its command name.
func (l *ledger) fits(key string, reply int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	return reply <= maxRecorded && l.used[e.Op]+reply-replyReserve <= l.share
}

// put keeps an entry durably; with, which may be nil, runs in the same transaction. A new entry
// makes room in the share of its command name, or errLedgerFull is returned.
func (l *ledger) put(ctx context.Context, e entry, with func(*buffer.Tx) error) error {
	l.mu.Lock()
	var forget []string
	if before, ok := l.entries[e.key()]; ok {
		e.N, e.At, e.since = before.N, before.At, before.since
	} else {
		e.N, e.since = l.n+1, l.up()
		if now, known := l.now(); known {
			e.At = now.Unix()
		}
	}
	value, err := json.Marshal(e)
	if _, ok := l.entries[e.key()]; err == nil && !ok {
		forget, err = l.forgettableLocked(e.Op, len(value)+len(e.key())+entryCost+replyReserve)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	err = l.store.Update(ctx, func(tx *buffer.Tx) error {
		if with != nil {
			if err := with(tx); err != nil {
				return err
			}
		}
		for _, key := range forget {
			if err := tx.Delete(bucket, key); err != nil {
				return err
			}
		}
		return tx.Put(bucket, e.key(), value)
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range forget {
		l.forgetLocked(key)
	}
	l.setLocked(e, len(value))
	return nil
}

// hold keeps an entry in memory alone, if the store cannot be written.
func (l *ledger) hold(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.entries[e.key()]; ok {
		e.N, e.At, e.since = before.N, before.At, before.since
	}
	l.setLocked(e, len(e.Reply))
}

// refuse remembers the refusal of a command that has no entry, so that a repeat is refused as well:
// in memory, bounded.
func (l *ledger) refuse(key string, no refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.refused[key]; !ok {
		l.order = append(l.order, key)
	}
	l.refused[key] = no
	if len(l.order) > refusedMax {
		delete(l.refused, l.order[0])
		l.order = slices.Delete(l.order, 0, 1)
	}
}

// refusalOf returns how a command was refused before.
func (l *ledger) refusalOf(key string) (refusal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	no, ok := l.refused[key]
	return no, ok
}

// finish answers commands that were interrupted: few transactions, however many there are.
func (l *ledger) finish(ctx context.Context, list []entry, with func(*buffer.Tx, entry) error, log *slog.Logger) []entry {
	const together = 32
	var failed []entry
	for chunk := range slices.Chunk(list, together) {
		err := l.store.Update(ctx, func(tx *buffer.Tx) error {
			for _, e := range chunk {
				value, err := json.Marshal(e)
				if err != nil {
					return err
				}
				if err := tx.Put(bucket, e.key(), value); err != nil {
					return err
				}
				if err := with(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			log.Warn("interrupted commands are answered without the ledger", "commands", len(chunk), "err", err)
			failed = append(failed, chunk...)
		}
		for _, e := range chunk {
			l.hold(e)
		}
	}
	return failed
}

// recent returns the newest commands, newest first, at most max.
func (l *ledger) recent(max int) (list []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	newer := func(a, b entry) int { return cmp.Compare(b.N, a.N) }
	for _, e := range l.entries {
		if len(list) == max && list[max-1].N > e.N {
			continue
		}
		at, _ := slices.BinarySearchFunc(list, e, newer)
		if list = slices.Insert(list, at, e); len(list) > max {
			list = list[:max]
		}
	}
	return list
}
