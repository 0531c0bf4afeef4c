package modbus

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// A silence is the error of a request to which no good answer came in time. For errors.Is it is
// what ended the wait, if time did; its text says what came instead, and what to look at.
type silence struct {
	text  string
	cause error
}

func (s *silence) Error() string { return s.text }
func (s *silence) Unwrap() error { return s.cause }

func unanswered(cause error, format string, args ...any) error {
	return &silence{fmt.Sprintf(format, args...), cause}
}

// silent reports whether an error says that the device has not answered: nothing good came in time,
// or a gateway says that it does not reach the device.
func silent(err error) bool {
	s, e := (*silence)(nil), Exception(0)
	return errors.As(err, &s) || errors.As(err, &e) && e.FromGateway()
}

// closedByPeer reports whether the other end of a connection has closed it.
func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

const closedHint = "the device hung up without an answer, twice: if it wants a pause after connecting, set connect_delay; if it takes one connection only, see that no other client has it, or set close_after_read = true in all of them; if requests come too fast for it, set gap"
