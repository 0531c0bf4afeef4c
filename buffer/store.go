package buffer

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Previous says how the run before this one ended. A run that ended before it committed anything
// has left nothing behind and is skipped.
type Previous struct {
	Exists  bool // false in a new store
	Run     string
	Store   string // ID of the store then
	Boot    uint32
	Gateway string // Options.Gateway then
	Clean   bool   // Close was completed

	// Last is the last sequence number of every stream of readings: after a clean end the last one
	// assigned, after an unclean one the last one that was durable.
	Last map[string]uint64
	// LastEvents is the same for the streams of events.
	LastEvents map[string]uint64
}

// A Store keeps records until they are acknowledged. Its methods may be called from any number of
// goroutines.
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
	soon     map[kvKey]*[]byte // see PutSoon
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
// run is durable when Open returns. Errors that an operator can do something about are *OpenError.
//
// If the storage cannot be written now, because it is read-only, full or failing, Open returns a
// store that works from RAM, is degraded, and opens its file as soon as it can; see IsOpen.
//
// A damaged store is set aside as "<path>.corrupt-<time>", and a new one with a new ID takes its
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

// IsOpen reports whether the store has its file. Until it has, ID, Boot and Previous return
// nothing.
func (s *Store) IsOpen() bool { return !s.isUnopened() }

func (s *Store) isUnopened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unopened
}

// Run returns the random identity of this start of the program, 12 hexadecimal digits. No other
// start has it, whatever copy of the file it uses.
func (s *Store) Run() string { return s.run.id }

// Boot returns the number of this start of the program in this store.
func (s *Store) Boot() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boot
}

// Previous returns how the last run ended.
func (s *Store) Previous() Previous {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prev
}

// Ready returns a channel that receives a value when something can be taken that could not be taken
// before: a record of any lane, or a loss.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Close commits everything that is in RAM, the pending acknowledgements and the mark of a clean
// end, and closes the file. Records in flight stay stored. If ctx ends first, Close returns its
// error, and the store goes on to close in the background. Afterwards every method but Stats fails
// or does nothing.
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
