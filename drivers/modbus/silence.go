package modbus

import "fmt"

// A silence is the error of a request to which no good answer came in time. For errors.Is it is
// what ended the wait; its text says what came instead, and what to look at.
type silence struct {
	text  string
	cause error
}

func (s *silence) Error() string { return s.text }
func (s *silence) Unwrap() error { return s.cause }

func unanswered(cause error, format string, args ...any) error {
	return &silence{fmt.Sprintf(format, args...), cause}
}
