package enrol

import "errors"

// ErrBusy means that another process enrols this gateway.
var ErrBusy = errors.New("another fieldgate enrols this gateway just now: journalctl -u fieldgate shows how far it is")

// A Fault is why an attempt ended.
type Fault struct {
	What   string // one sentence without a full stop
	Remedy string
	Passes bool // the next attempt may succeed although nobody has done anything
	// TokenOver: the certificate that was signed cannot be registered any more.
	TokenOver bool
	Err       error // its cause; nil: there is none below What
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Remedy == "" {
		return f.What
	}
	return f.What + ": " + f.Remedy
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Passes reports whether an attempt that ended with err may succeed by itself later.
func Passes(err error) bool {
	f, ok := errors.AsType[*Fault](err)
	return errors.Is(err, ErrBusy) || ok && f.Passes
}
