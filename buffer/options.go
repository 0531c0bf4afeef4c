package buffer

import (
	"fmt"
	"log/slog"
	"time"
)

// A Policy says what happens to readings when the store has reached a limit.
type Policy uint8

const (
	// DropOldest removes the oldest stored readings, lowest Priority first, to make room for new
	// ones.
	DropOldest Policy = iota
	// RejectNew keeps what is stored, unless it has expired, and lets Append return ErrFull.
	RejectNew
	// Thin replaces the oldest readings by fewer with Options.Thin, and removes the oldest of those
	// that cannot be thinned further.
	Thin
)

// ThinLevels is the highest level that Options.Thin is called with: how often a reading can be
// thinned.
const ThinLevels = 3

const (
	// MaxBody is the length in bytes of the largest body that a store accepts. If MaxBytes is below
	// 16 MiB, the limit is a 64th of it, but at least 32 KiB.
	MaxBody = 256 << 10

	// MaxStream is the length in bytes of the longest name of a stream.
	MaxStream = 255

	// DefaultMaxBytes is used if Options.MaxBytes is zero.
	DefaultMaxBytes = 256 << 20

	// MinMaxBytes is the smallest Options.MaxBytes that Open accepts.
	MinMaxBytes = 1 << 20
)

// Options configure a Store. The zero value is a strict store of DefaultMaxBytes that drops the
// oldest readings when it is full.
type Options struct {
	// MaxLoss is the age up to which a record may stay in RAM only, and so the most that a power
	// cut costs while the storage works. If it is zero, the store is strict: Append returns after
	// the commit, and concurrent Appends share one.
	MaxLoss time.Duration

	// MaxBytes bounds the database, its write-ahead log, the ballast file and the front in RAM
	// together; 5 % of the database are reserved for events. Zero means DefaultMaxBytes.
	MaxBytes int64

	// MinFree is the number of free bytes on the file system below which the database does not
	// grow, except for events within what is reserved for them. Zero means no such limit.
	MinFree int64

	// WhenFull says what happens when MaxBytes or MinFree is reached.
	WhenFull Policy

	// Thin replaces records by fewer; the policy Thin needs it. It gets adjacent records of one
	// run, of any streams, oldest first, and returns those that are to be stored. The slice is its
	// own, the bodies are not.
	//
	// A bucket that it makes is a copy of the first record that it stands for, with another Body,
	// SeqTo and UpTo. It stands for records of one stream with consecutive numbers, which are
	// omitted from the result. All other records must be returned as they were. Otherwise the
	// result is not used, which is logged once, and the records are treated as if they could not be
	// thinned.
	//
	// level, from 1 to ThinLevels, is that of the result: how often its records were thinned. The
	// records given may be buckets of a lower level. If the result does not take less space, Thin
	// is called again with it and the next level. Thin runs on the committer's goroutine and must
	// not call the Store.
	Thin func(level int, records []Record) []Record

	// Streams are the options of streams of readings, by name. It must not be changed after Open.
	Streams map[string]StreamOptions

	// PowerUpAge returns how long ago the kernel boot with this boot_id began, or false if that is
	// not known. It is asked for boots before the present one, whose readings need it for their
	// TTL. It is called on the goroutines that call Take. Nil means that it is never known.
	PowerUpAge func(kernelBoot string) (time.Duration, bool)

	// Machine identifies the board, for example a hash of its machine id. If it differs from the
	// one in the file, the card was cloned, and the store gets a new ID.
	Machine string

	// Gateway is the name under which the records of this run are sent. They keep it even if a
	// later run has another one.
	Gateway string

	// First returns an event that is stored together with the row of this run, in one transaction,
	// for what must be known of each run, however it ends. It gets what Store.Previous, Store.ID
	// and Store.Boot will return. First is called before the transaction, on the committer's
	// goroutine, and again if the transaction failed. It must not call the Store. Nil means that
	// there is no such event.
	First func(p Previous, store string, boot uint32) (stream string, body []byte)

	// KernelBoot is the kernel's boot_id, which the records of this run keep.
	KernelBoot string

	// Up returns the time since power-up, including time asleep. The default is CLOCK_BOOTTIME;
	// tests replace it. It is called on many goroutines.
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
