package buffer

import (
	"fmt"
	"log/slog"
	"time"
)

// A Policy says what happens to readings when the store has reached MaxBytes or MinFree.
type Policy uint8

const (
	// DropOldest removes the oldest readings of the lowest priority to make room for new ones.
	DropOldest Policy = iota
	// RejectNew keeps what is stored, and Append returns ErrFull.
	RejectNew
	// Thin replaces the oldest readings by fewer (Options.Thin). If they cannot become fewer, it
	// removes them like DropOldest.
	Thin
)

// ThinLevels is how many times a reading can be thinned before it is removed.
const ThinLevels = 3

const (
	// MaxBody is the largest body that a store accepts, in bytes. If Options.MaxBytes is below 16
	// MiB, the limit is a 64th of that, but at least 32 KiB.
	MaxBody = 256 << 10

	// MaxStream is the length of the longest name of a stream, in bytes.
	MaxStream = 255

	// DefaultMaxBytes is Options.MaxBytes if that is zero.
	DefaultMaxBytes = 256 << 20

	// MinMaxBytes is the smallest Options.MaxBytes that Open accepts.
	MinMaxBytes = 1 << 20
)

// Options configure a Store. The zero value makes a store of DefaultMaxBytes in which a record is
// durable when Append returns and which drops the oldest readings when it is full. Open does not
// copy Streams; do not change it while the store is open.
type Options struct {
	// MaxLoss is how long a record may stay in RAM before it is durable, and so the most that a
	// power cut may cost. If it is zero, Append returns after the commit; concurrent Appends share
	// one commit.
	MaxLoss time.Duration

	// MaxBytes bounds the sum of the database, its write-ahead log, a ballast file (which is given
	// up when the file system is full) and the front in RAM; 5 % of the database are reserved for
	// events. Zero means DefaultMaxBytes; the least is MinMaxBytes.
	MaxBytes int64

	// MinFree is the number of free bytes on the file system below which the database does not
	// grow, except for events within what is reserved for them. Zero means no such limit.
	MinFree int64

	// WhenFull is what happens to readings when MaxBytes or MinFree is reached.
	WhenFull Policy

	// Thin replaces adjacent records of one run, which it gets oldest first, by the fewer that it
	// returns: records that it leaves as they are, and buckets. A bucket is a copy of the first
	// record that it stands for, with another Body, SeqTo and UpTo. It stands for records of one
	// stream without a hole in their numbers, and these are not returned themselves. level is 1 to
	// ThinLevels: how many times the result has been thinned. Some of the records may be buckets of
	// a lower level. If the result does not take less space, Thin is called again with it and the
	// next level. A result that does not stand for exactly the records given is not used. Thin runs
	// on the committer's goroutine and must not call the Store. The policy Thin requires it.
	Thin func(level int, records []Record) []Record

	// Streams has the options of streams of readings, by name.
	Streams map[string]StreamOptions

	// PowerUpAge returns how long ago an earlier kernel boot began, or false if that is not known.
	// StreamOptions.TTL needs it for the readings of such kernel boots. It is called on the
	// goroutines that call Take, also concurrently. Nil means that it is never known.
	PowerUpAge func(kernelBoot string) (time.Duration, bool)

	// Machine identifies the board, for example by a hash of its machine id. If it differs from the
	// one in the file, the card was cloned: the store gets a new ID.
	Machine string

	// Gateway is the name under which the records of this run are sent (Record.Gateway). They keep
	// it even if a later run has another one.
	Gateway string

	// First returns an event that is stored in one transaction with the row of this run, so that it
	// is known of every run, however the run ends. p is the run before; store and boot are those of
	// ID and Boot. First is called before Open returns, or later if the store cannot be opened then
	// (IsOpen). It runs on the committer's goroutine, must not call the Store, and is called again
	// if the transaction failed. Nil means that there is no such event.
	First func(p Previous, store string, boot uint32) (stream string, body []byte)

	// KernelBoot is the kernel's boot_id, which the records of this run keep (Record.Kernel).
	KernelBoot string

	// Up returns the time since power-up. Nil means CLOCK_BOOTTIME; tests replace it.
	Up func() time.Duration

	// Beat is called by the committer: before a piece of work with 0, and before it waits with how
	// long it will wait at most if nothing happens. It must not block. What does not call it again
	// hangs. Nil: nobody asks.
	Beat func(wait time.Duration)

	// Log receives changes of state, such as full and degraded. Nil discards them.
	Log *slog.Logger
}

// check reports what is wrong with the options, and what would be right.
func (o *Options) check() error {
	switch {
	case o.MaxBytes < MinMaxBytes:
		return fmt.Errorf("%w: a limit of %d bytes is too small for log, ballast and front: it must be at least %d (1 MiB)", ErrOptions, o.MaxBytes, MinMaxBytes)
	case o.MinFree < 0:
		return fmt.Errorf("%w: min free of %d bytes is negative", ErrOptions, o.MinFree)
	case o.MaxLoss < 0:
		return fmt.Errorf("%w: max loss of %v is negative", ErrOptions, o.MaxLoss)
	case o.WhenFull > Thin:
		return fmt.Errorf("%w: unknown policy %d", ErrOptions, o.WhenFull)
	case o.WhenFull == Thin && o.Thin == nil:
		return fmt.Errorf("%w: the policy Thin needs the function Options.Thin", ErrOptions)
	}
	for name, so := range o.Streams {
		if so.Priority < Low || so.Priority > High || so.TTL < 0 {
			return fmt.Errorf("%w: stream %s: priority %d, time to live %v", ErrOptions, name, so.Priority, so.TTL)
		}
	}
	return nil
}
