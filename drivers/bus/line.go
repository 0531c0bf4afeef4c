package bus

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/fieldgate/fieldgate/drivers"
)

// A stream is what a line is made of: a serial port, a connection or a program.
type stream interface {
	drivers.Port
	Close() error
	isClosed() bool
}

// A line is a stream that is open, and closed when the last who uses it has closed what it was
// given.
type line struct {
	stream stream
	place  string // in Host.lines
	name   string // by which it was asked for
	mode   drivers.SerialMode
	users  int // under Host.mu
}

// admits returns why one more cannot use the line.
func (l *line) admits(name string, mode drivers.SerialMode) error {
	switch {
	case !l.mode.Shared || !mode.Shared:
		return fmt.Errorf("it is held by another sensor of this gateway (as %s), which has the port for itself", l.name)
	case l.name != name: // those that share a line take turns by its name
		return fmt.Errorf("another sensor of this gateway calls it %s: give all sensors on one line the same `bus`", l.name)
	case l.mode != mode:
		return fmt.Errorf("another sensor of this gateway has set it to %v, and this one wants %v: all on one line need the same", l.mode, mode)
	}
	return nil
}

// leaseLocked gives a line to one more user. h.mu is held.
func (h *Host) leaseLocked(l *line) drivers.Port {
	l.users++
	p := &lease{stream: l.stream, line: l, host: h}
	if c, ok := l.stream.(*connection); ok {
		return &connectionLease{p, c}
	}
	return p
}

// A lease is a line in the hands of one user.
type lease struct {
	stream
	line     *line
	host     *Host
	returned atomic.Bool
}

func (l *lease) Read(b []byte) (int, error) {
	if l.returned.Load() {
		return 0, fmt.Errorf("%s: read: %w", l.line.name, os.ErrClosed)
	}
	return l.stream.Read(b)
}

func (l *lease) Write(b []byte) (int, error) {
	if l.returned.Load() {
		return 0, fmt.Errorf("%s: write: %w", l.line.name, os.ErrClosed)
	}
	return l.stream.Write(b)
}

// Kind returns what the port is made of.
func (l *lease) Kind() drivers.PortKind {
	p, _ := drivers.ParsePort(l.line.name) // it was taken apart before
	return p.Kind
}

// Runs returns how often a program has been started until the last Read; 0 for other ports.
func (l *lease) Runs() int {
	if p, ok := l.stream.(*program); ok {
		return p.runs
	}
	return 0
}

// Complaint returns the last line of what a program that runs has printed to its standard error.
func (l *lease) Complaint() string {
	if p, ok := l.stream.(*program); ok {
		return p.run.said.last()
	}
	return ""
}

// Close gives the line back. A second call does nothing.
func (l *lease) Close() error {
	if l.returned.Swap(true) {
		return nil
	}
	l.host.mu.Lock()
	defer l.host.mu.Unlock()
	if l.line.users--; l.line.users > 0 {
		return nil
	}
	if l.host.lines[l.line.place] == l.line {
		delete(l.host.lines, l.line.place)
	}
	if _, ok := l.stream.(*program); ok { // it may want time to end, and another need not wait
		l.host.mu.Unlock()
		defer l.host.mu.Lock()
	}
	return l.stream.Close() // under the lock: nobody must be given a port that is about to be closed
}

// A connectionLease is the lease of a connection.
type connectionLease struct {
	*lease
	connection *connection
}

// HangUp ends the connection until the next Write, for all that share it. What was written is not
// sent again.
func (l *connectionLease) HangUp() error {
	if l.returned.Load() {
		return nil
	}
	l.connection.asked = nil
	return l.connection.hangUp()
}
