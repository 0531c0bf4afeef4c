package buffer

import (
	"errors"
	"strings"
)

// Problems that Open and Examine report in an *OpenError; use errors.Is to find them.
var (
	ErrNotDatabase = errors.New("not a store")
	ErrNewer       = errors.New("made by a newer version")
	ErrNotWritable = errors.New("not writable")
	ErrInUse       = errors.New("in use by another process")
	ErrNotRegular  = errors.New("not a regular file")
	ErrNoDirectory = errors.New("directory does not exist")
	ErrFileSystem  = errors.New("on a network file system, which cannot keep a store")
	ErrSettings    = errors.New("sqlite does not accept a setting that durability needs")
)

var (
	// ErrOptions means that one of the Options is out of range, or that Append was called with an
	// unknown Kind or an empty stream.
	ErrOptions = errors.New("invalid options")

	// ErrFull means that a limit was reached and the record was not accepted. Its sequence number
	// is used up; the ledger has it as "rejected".
	ErrFull = errors.New("store is full")

	// ErrNotDurable means that the storage failed, or has no room. An appended record is held in
	// RAM, can be taken, and is committed as soon as the storage works again. An Update may or may
	// not have happened. A method that only reads returns it if the database is not open now.
	ErrNotDurable = errors.New("not durable")

	// ErrTooLarge means that a body is larger than MaxBody says, or a name longer than MaxStream.
	// No sequence number was used up.
	ErrTooLarge = errors.New("too large")

	// ErrClosed means that Close was called before.
	ErrClosed = errors.New("store is closed")
)

// An OpenError is a reason why a store cannot be opened that an operator can do something about.
// Nothing in the store was changed.
type OpenError struct {
	Path    string // of the store
	Problem error  // one of those above, or ErrFull
	Remedy  string // what to do, for the operator
	Err     error  // what the operating system or SQLite reported; may be nil
}

func (e *OpenError) Error() string {
	var b strings.Builder
	b.WriteString("buffer: open " + e.Path + ": " + e.Problem.Error())
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	b.WriteString("; " + e.Remedy)
	return b.String()
}

// Unwrap makes both the problem and its cause visible to errors.Is.
func (e *OpenError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Problem}
	}
	return []error{e.Problem, e.Err}
}
