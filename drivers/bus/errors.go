package bus

import (
	"os"
)

// A loss is an error after which a bus has to be opened again. For errors.Is it is os.ErrClosed;
// its text says what happened.
type loss struct {
	text  string
	cause error // may be nil
}

func (l *loss) Error() string { return l.text }

func (l *loss) Unwrap() []error {
	if l.cause == nil {
		return []error{os.ErrClosed}
	}
	return []error{os.ErrClosed, l.cause}
}
