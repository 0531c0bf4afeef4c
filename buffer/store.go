package buffer

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Previous describes how the run before this one ended. A run that ended before it committed
// anything is skipped.
type Previous struct {
	Exists  bool   // false in a new store; then all else is zero
	Run     string // Store.Run of that run
	Store   string // Store.ID then
	Boot    uint32 // Store.Boot of that run
	Gateway string // Options.Gateway then
	Clean   bool   // it ended with Close, which was completed

	// Last has the last sequence number of every stream of readings: after a clean end the last one
	// assigned, after an unclean one the last one that was durable. It must not be changed.
	Last map[string]uint64
	// LastEvents has the same for the streams of events.
	LastEvents map[string]uint64
}

// A Store keeps records until they are acknowledged. Its methods may be called concurrently. If
// the ctx of one ends while it waits, it returns the error of ctx, and what it was asked to do may
// still happen.
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
	passing  [laneCount]map[string]bool // streams over which Take passes
	powerUps map[string]time.Duration   // of earlier kernel boots: how long before this one's
	next     uint64                     // position of the next record
	inFlight int64                      // taken records
	front    int                        // cost of the unacknowledged records that are not stored
	slow     slowness                   // of commits
	cached   int                        // cost of the resident records that are stored
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
	full     [classCount]bool
	space    [classCount]int64 // bytes that can be stored without removing anything; less one commit's other pages
	fullTold [classCount]bool
	noRoom   bool          // the last commit left something of the front
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

// Open opens the store at path, or makes a new one; the directory must exist. The row of the new
// run is durable when Open returns, unless the store is not open yet: see IsOpen. Errors that an
// operator can do something about are *OpenError; invalid Options are ErrOptions. After an error
// there is nothing to close. ctx is checked at the beginning only.
//
// If the storage cannot be written now, because it is read-only, full or failing, Open returns no
// error but a store that works from RAM, is degraded (Stats.Degraded says why), and opens its file
// as soon as it can.
//
// A damaged store is set aside as "<path>.corrupt-<time>", and a new one with a new ID takes its
// place, with everything that can be read of the old one: see Opened. Losses with the Reason
// "corrupt" report what could not be read.
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

// ID returns the random identity of the store, 8 hexadecimal digits. It is empty as long as the
// store could not be opened.
func (s *Store) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// IsOpen reports whether the store has opened its file, which Open may leave for later. Until then
// ID, Boot and Previous return zero values, records are in RAM only, and methods that read or
// change the database return ErrNotDurable.
func (s *Store) IsOpen() bool { return !s.isUnopened() }

func (s *Store) isUnopened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unopened
}

// Run returns the random identity of this run, 12 hexadecimal digits. No other run has it, whatever
// copy of the file it uses.
func (s *Store) Run() string { return s.run.id }

// Boot returns the number of this run in this store. The first is 1.
func (s *Store) Boot() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boot
}

// Previous returns how the run before this one ended.
func (s *Store) Previous() Previous {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prev
}

// Ready returns a channel on which a value arrives when something can be taken that could not be
// taken before: a record of any lane, or a loss. One value may stand for any number of them, and it
// may be a false alarm. It is always the same channel, and it is never closed; a value wakes one
// receiver.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Close commits everything that is in RAM, the pending acknowledgements and the note of a clean
// end, and closes the file. Records in flight stay stored. If the commit fails, Close returns
// ErrNotDurable, and what was in RAM only is lost. If ctx ends first, Close returns its error, and
// the store goes on to close in the background. Once Close was called, the other methods that take
// a ctx return ErrClosed, and the rest have no effect; Stats still works. A second Close waits for
// the first and returns the same.
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
