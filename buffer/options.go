package buffer

import (
	"fmt"
	"log/slog"
	"time"
)

// A Policy says what happens to readings when the store has reached a limit.
type Policy uint8

const (
	// DropOldest removes the oldest stored readings to make room for new ones.
	DropOldest Policy = iota
	// RejectNew keeps what is stored and lets Append return ErrFull.
	RejectNew
	// Thin makes the oldest readings into fewer with Options.Thin, and removes the oldest of those
	// that cannot become fewer.
	Thin
)

// ThinLevels is how often a reading can be thinned.
const ThinLevels = 3

const (
	// MaxBody is the largest body in bytes that any store takes; a small MaxBytes lowers it, see
	// ErrTooLarge.
	MaxBody = 256 << 10

	// MaxStream is the longest name of a stream in bytes.
	MaxStream = 255

	// DefaultMaxBytes is used if Options.MaxBytes is zero.
	DefaultMaxBytes = 256 << 20

	// MinMaxBytes is the smallest Options.MaxBytes that Open accepts.
	MinMaxBytes = 1 << 20
)

// Options configure a Store. The zero value is a strict store of DefaultMaxBytes that drops the
// oldest readings when it is full.
type Options struct {
	// MaxLoss is the most that a power cut may cost: a record may stay in RAM this long. If it is
	// zero, Append returns after the commit; concurrent Appends share one.
	MaxLoss time.Duration

	// MaxBytes bounds the database, its write-ahead log, the ballast file and the RAM front
	// together; 5 % of the database are reserved for events. Zero means DefaultMaxBytes.
	MaxBytes int64

	// MinFree is the number of free bytes on the file system below which the database does not
	// grow, except for events within what is reserved for them.
	MinFree int64

	// WhenFull says what happens when MaxBytes or MinFree is reached.
	WhenFull Policy

	// Thin makes fewer records of adjacent ones of one run, which it gets oldest first. A bucket is
	// a copy of its first record with another Body, SeqTo and UpTo. It stands for records of one
	// stream without a hole in their numbers, and what Thin returns does not have these any more.
	// Some of the records may be buckets of a lower level. Thin runs on the committer's goroutine
	// and must not call the Store. The policy Thin needs it.
	Thin func(level int, records []Record) []Record

	// Streams are the options of streams of readings, by name.
	Streams map[string]StreamOptions

	// PowerUpAge returns how long ago an earlier kernel boot began, or false if that is not known.
	// TTL needs it for the readings of such boots. It is called on the goroutines that call Take.
	// Nil means that it is never known.
	PowerUpAge func(kernelBoot string) (time.Duration, bool)

	// Machine identifies the board, for example a hash of its machine id. If it differs from the
	// one in the file, the card was cloned and the store gets a new ID.
	Machine string

	// Gateway is what the records of this run are sent under. They keep it even if a later run has
	// another one.
	Gateway string

	// First returns an event that is stored together with the row of this run, in one transaction:
	// what must be known of each run, whatever becomes of it. First is called before the
	// transaction, on the committer's goroutine, and again if the transaction failed. Nil means
	// that there is no such event.
	First func(p Previous, store string, boot uint32) (stream string, body []byte)

	// KernelBoot is the kernel's boot_id, which the records of this run keep.
	KernelBoot string

	// Up returns the time since power-up. The default is CLOCK_BOOTTIME; tests replace it.
	Up func() time.Duration

	// Log receives changes of state. Nil discards them.
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
