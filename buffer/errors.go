package buffer

import (
	"errors"
	"strings"
)

// Problems that Open and Examine report in an *OpenError; test for them with errors.Is. The text of
// each says what is wrong with the path.
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

// Errors that the methods wrap; test for them with errors.Is.
var (
	// ErrOptions means that Options are out of range, or that Append got an unknown Kind or an
	// empty stream.
	ErrOptions = errors.New("invalid options")

	// ErrFull means that a limit was reached and the record was not accepted. Its number is used
	// up; the ledger has it as "rejected". In an OpenError it means that there is no room for the
	// store.
	ErrFull = errors.New("store is full")

	// ErrNotDurable means that the storage failed or that the store has no room. A record that was
	// appended is kept in RAM, can be taken, and is committed as soon as that is possible. Whether
	// an Update, or another change, has happened is not known.
	ErrNotDurable = errors.New("not durable")

	// ErrTooLarge means that a body or the name of a stream exceeds its limit (MaxBody, MaxStream).
	// No number was used up.
	ErrTooLarge = errors.New("too large")

	// ErrClosed means that Close has been called.
	ErrClosed = errors.New("store is closed")
)

// An OpenError is a reason why a store cannot be opened that an operator can remove. The store at
// Path was not changed.
type OpenError struct {
	Path    string
	Problem error  // one of the Err… values of this package
	Remedy  string // what the operator can do
	Err     error  // what the system said; may be nil
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
