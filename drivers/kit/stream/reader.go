package stream

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	// glance is how long a read of the port waits before the context is looked at again.
	glance = 50 * time.Millisecond
	// backlog is how many bytes that have arrived before are looked through: more than Linux keeps
	// of a connection that is not read (tcp_rmem, 6 MiB).
	backlog = 8 << 20
	// stale is how many of them make it likely that Linux had no room for those that came last.
	stale = 16 << 10
	// restless is how long a line that is to be silent is waited for.
	restless = time.Second
)

// A Reader reads a port. It is for one caller at a time.
type Reader struct {
	// Seen is what has come since the last success.
	Seen Evidence
	port drivers.Port
	buf  [512]byte
}

// NewReader returns a Reader of a port, which stays the caller's.
func NewReader(port drivers.Port) *Reader {
	return &Reader{Seen: Evidence{port: port}, port: port}
}

// A take is given what has come, at most 512 bytes at a time, or nothing after 50 ms of silence. It
// reports whether it has found what it was looking for.
type take = func(p []byte) bool

// Next hands over what comes until take has found something, or ctx has ended.
func (r *Reader) Next(ctx context.Context, take take) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait := glance
		if end, ok := ctx.Deadline(); ok { // a read of 0 would not wait at all
			wait = max(min(wait, time.Until(end)), time.Millisecond)
		}
		n, err := r.read(wait)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if take(r.buf[:n]) {
			r.Seen = Evidence{port: r.port}
			return nil
		}
	}
}

// Newest is for devices that speak by themselves: it hands over all that has arrived since the last
// call, and if nothing was found in that, or more came than Linux keeps, waits as Next does. take
// remembers the last that it found.
func (r *Reader) Newest(ctx context.Context, take take) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	found, arrived := false, 0
	for arrived < backlog {
		n, err := r.read(0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
		arrived += n
		found = take(r.buf[:n]) || found
	}
	if found && arrived < stale {
		r.Seen = Evidence{port: r.port}
		return nil
	}
	return r.Next(ctx, take)
}

// Ask is for devices that speak when they are asked: it drops what has arrived, sends the request,
// and hands over what comes until take has found the answer. After the timeout without one the
// error is os.ErrDeadlineExceeded, and Seen is what came instead.
func (r *Reader) Ask(ctx context.Context, request []byte, timeout time.Duration, take take) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for arrived := 0; arrived < backlog; {
		n, err := r.read(0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
		arrived += n
	}
	r.Seen = Evidence{port: r.port}
	if _, err := r.port.Write(request); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := r.Next(limited, take)
	if err != nil && limited.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Drop is for asking: it drops what has arrived, and reports whether the device is silent. If
// something had arrived, or something may be on its way, it waits until nothing comes for 50 ms, so
// that the rest of a late answer is not taken for the next one. A device that speaks all the time
// is not silent after a second.
func (r *Reader) Drop(ctx context.Context, onItsWay bool) (silent bool, err error) {
	r.Seen = Evidence{port: r.port}
	wait, end := time.Duration(0), time.Now().Add(restless)
	if onItsWay {
		wait = glance
	}
	for time.Now().Before(end) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		_, err := r.read(wait)
		r.Seen = Evidence{port: r.port}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		wait = glance
	}
	return false, nil
}

// read reads what the port has within the timeout.
func (r *Reader) read(timeout time.Duration) (int, error) {
	if err := r.port.SetReadTimeout(timeout); err != nil {
		return 0, err
	}
	n, err := r.port.Read(r.buf[:])
	r.Seen.add(r.buf[:n])
	return n, err
}
