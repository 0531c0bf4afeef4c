package buffer

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Previous describes the run before this one and how it ended. A run that ended before it committed
// anything has left nothing behind and is skipped.
type Previous struct {
	Exists  bool   // false in a new store; the rest is zero then
	Run     string // its Store.Run
	Store   string // its Store.ID
	Boot    uint32 // its Store.Boot
	Gateway string // its Options.Gateway
	Clean   bool   // it ended with Close

	// Last has the last number of every stream of readings, by name: after a clean end the last
	// that was assigned, after an unclean end the last that was durable.
	Last map[string]uint64
	// LastEvents is the same for the streams of events.
	LastEvents map[string]uint64
}

// A Store keeps records until they are acknowledged; Open returns one. Its methods may be called
// concurrently.
//
// If the context of a method ends while it waits for the storage, the method returns an error that
// wraps that of the context, but the store still does the work. After Close the methods return
// ErrClosed if they return an error at all, and none of them changes the file.
type Store struct {
	path    string
	o       Options
	log     *slog.Logger
	limits  limits
	run     *run // this one
	id      string
	boot    uint32
	prev    Previous
	ready   chan struct{}
	wake    chan struct{}
	stopped chan struct{} // closed when the committer has ended

	ttl map[string]time.Duration // of the streams that have one

	// mu guards all that follows but closeErr, and id, boot and prev above. Methods of Store and
	// committer that need it held end in Locked. Those of values that are only used while it is
	// held have no suffix; the comment of the type says so.
	mu       sync.Mutex
	shelves  [classCount]shelf
	streams  [kindCount]map[string]*stream
	passing  [laneCount]map[Part]bool // over which Take passes
	powerUps map[string]time.Duration // of earlier kernel boots: how long before this one's
	next     uint64                   // position of the next record
	inFlight int64                    // taken records
	front    int                      // cost of the unacknowledged records that are not stored
	slow     slowness                 // of commits
	cached   int                      // cost of the resident records that are stored
	removed  []removal
	dirtyAt  time.Duration // when the oldest acknowledgement became pending
	dirty    int           // segments with pending acknowledgements
	lossAt   time.Duration // when the oldest entry of removed was made
	losses   lossState
	unrouted unrouted
	muted    bool          // see HoldLosses
	round    *round        // the next commit
	ended    chan struct{} // closed when the next commit, or the one that runs, has ended
	reads    []*job
	writes   []*job
	soon     map[kvKey]*[]byte // see PutSoon
	full     [classCount]bool
	// bytes that can be stored without removing anything; less one commit's other pages
	space    [classCount]int64
	fullTold [classCount]bool
	noRoom   bool          // the last commit left something of the front
	replaced uint64        // segments below this id were in a file that was replaced, or in RAM at that time
	expire   bool          // the next commit removes what is expired to make room
	expireAt time.Duration // not before
	degraded error
	unopened bool // it works from RAM alone until it can be opened
	retryAt  time.Duration
	timerAt  time.Duration // when the committer looks at the state again
	closing  bool
	closeErr error
	opened   Opened
	stats    Stats
}

// A round is one commit for those who wait for it.
type round struct {
	done chan struct{}
	err  error
}

func newRound() *round { return &round{done: make(chan struct{})} }

// Open opens the store at path, or makes a new one; the directory must exist. Beside it are files
// of the same name with a suffix, such as "-wal" and ".lock". The row of the new run is durable
// when Open returns. Open looks at ctx only before it begins. An error that an operator can remove
// is an *OpenError; Options that are out of range are ErrOptions.
//
// If the storage cannot be written now, because it is read-only, full or failing, Open returns no
// error but a store that works from RAM, is degraded (Stats.Degraded), and opens its file as soon
// as it can; see IsOpen.
//
// A damaged store is renamed to "<path>.corrupt-<time>", and a new one with a new ID takes its
// place, with everything that can be read of the old one: see Opened. Losses with the Reason
// "corrupt" say what could not be read.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // SQLite keeps the log beside it
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("buffer: open %s: %w", path, err)
	}
	if o.Up == nil {
		o.Up = bootTime
	}
	if o.Beat == nil {
		o.Beat = func(time.Duration) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		path:    path,
		o:       o,
		log:     o.Log,
		limits:  newLimits(o.MaxBytes),
		run:     newRun(o),
		ready:   make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		round:   newRound(),
		ended:   make(chan struct{}),

		ttl:      make(map[string]time.Duration),
		powerUps: make(map[string]time.Duration),
	}
	for i := range s.streams {
		s.streams[i] = make(map[string]*stream)
	}
	for name, so := range o.Streams {
		if so.TTL > 0 {
			s.ttl[name] = so.TTL
		}
	}
	opened := make(chan error, 1)
	go s.serve(opened) // Close waits for it
	if err := <-opened; err != nil {
		return nil, err
	}
	return s, nil
}

// ID returns the random identity of the store, 8 hexadecimal digits. It is empty until IsOpen.
func (s *Store) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// IsOpen reports whether the store has opened its file. Until then it works from RAM alone, and ID,
// Boot and Previous return zero values.
func (s *Store) IsOpen() bool { return !s.isUnopened() }

func (s *Store) isUnopened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unopened
}

// Run returns the random identity of this run, 12 hexadecimal digits. No other run has it, whatever
// copy of the file that uses.
func (s *Store) Run() string { return s.run.id }

// Boot returns the number of this run within the store, from 1 on; zero until IsOpen.
func (s *Store) Boot() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boot
}

// Previous returns the run before this one; its maps must not be changed.
func (s *Store) Previous() Previous {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prev
}

// Ready returns a channel on which a value arrives when something can be taken that could not be
// taken before: a record of any lane, or a loss. One value may stand for many of them and may come
// without any, so take until nothing comes. The channel is the same at every call and is never
// closed; a value reaches one receiver.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Close commits everything that is in RAM and the pending acknowledgements, notes that the run
// ended cleanly, and closes the file. Records in flight stay stored, and the next run delivers them
// again. If Close returns ErrNotDurable, that commit failed: what was only in RAM is lost. If ctx
// ends first, Close returns its error and the store continues to close in the background. A second
// call waits and returns the same.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.wakeCommitter()
	select {
	case <-s.stopped:
		return s.closeErr
	case <-ctx.Done():
		return fmt.Errorf("buffer: close %s: last commit not finished: %w", s.path, ctx.Err())
	}
}

// wakeCommitter makes the committer look at the state again.
func (s *Store) wakeCommitter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wakeTaker wakes whoever receives from Ready.
func (s *Store) wakeTaker() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}
