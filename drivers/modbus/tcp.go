package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

const headerSize = 6 // transaction, protocol, length: section 3.1.3 of the implementation guide

// A tcp is a device at the end of a connection.
type tcp struct {
	*settings
	reader      *stream.Reader
	transaction uint16
	frame       []byte // the request
	got         []byte // what has come since
	late        bool   // in it was an answer to an earlier request
	answered    bool   // the device has answered before
}

func newTCP(s *settings, port drivers.Port) *tcp {
	return &tcp{settings: s, reader: stream.NewReader(port)}
}

// exchange implements link. The data are good until the next call.
func (l *tcp) exchange(ctx context.Context, q *request) ([]byte, error) {
	if l.gap > 0 {
		if err := drivers.Wait(ctx, l.gap); err != nil {
			return nil, err
		}
	}
	l.transaction++
	l.frame = binary.BigEndian.AppendUint16(l.frame[:0], l.transaction)
	l.frame = binary.BigEndian.AppendUint16(l.frame, 0)
	l.frame = binary.BigEndian.AppendUint16(l.frame, uint16(len(q.body)))
	l.frame = append(l.frame, q.body...)
	l.got, l.late = l.got[:0], false
	var data []byte
	var answerErr error
	err := l.reader.Ask(ctx, l.frame, l.timeout, func(p []byte) (found bool) {
		l.got = append(l.got, p...)
		data, answerErr, found = l.find(q)
		return found
	})
	switch {
	case err == nil:
		l.answered = true
		return data, answerErr
	case closedByPeer(err):
		return nil, fmt.Errorf("%w: %s; a device server that passes RTU frames needs driver modbus-rtu with this bus", err, closedHint)
	case !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded):
		return nil, err
	}
	return nil, l.explain(err)
}

// find takes apart what has come, and passes over answers to earlier requests.
func (l *tcp) find(q *request) (data []byte, err error, found bool) {
	for len(l.got) >= headerSize {
		transaction, n, ok := header(l.got)
		if !ok {
			return nil, unanswered(nil, "%v", l.stranger()), true
		}
		if len(l.got) < headerSize+n {
			return nil, nil, false
		}
		frame := l.got[headerSize : headerSize+n]
		if transaction == l.transaction {
			if want := q.expects(frame); want != n {
				return nil, unanswered(nil, "the answer does not fit the request: %s: % x", q.misfit(frame), frame[:min(n, 16)]), true
			}
			data, err = q.accept(frame)
			return data, err, true
		}
		l.got, l.late = l.got[headerSize+n:], true
	}
	return nil, nil, false
}

// header takes apart what a frame begins with; false: it is no frame. n is the length of what
// follows.
func header(b []byte) (transaction uint16, n int, ok bool) {
	n = int(binary.BigEndian.Uint16(b[4:]))
	return binary.BigEndian.Uint16(b), n, binary.BigEndian.Uint16(b[2:]) == 0 && n >= 3 && n <= maxFrame
}

// stranger says what came that is no frame.
func (l *tcp) stranger() error {
	if len(l.got) >= 3+crcSize {
		if unit, function, ok := frameOf(l.got); ok {
			return fmt.Errorf("what came is a Modbus RTU frame (unit %d, function %d): use driver modbus-rtu with this bus: % x", unit, function, l.got[:min(len(l.got), 16)])
		}
	}
	return fmt.Errorf("what came is not Modbus TCP (mostly port 502): % x", l.got[:min(len(l.got), 16)])
}

// explain says what came instead of an answer; err is why the wait ended.
func (l *tcp) explain(err error) error {
	switch {
	case len(l.got) >= headerSize:
		_, n, _ := header(l.got)
		return unanswered(err, "the answer broke off after %d of %d bytes: lower max_read if long answers do, raise timeout if it comes in pieces: % x", len(l.got), headerSize+n, l.got[:min(len(l.got), 16)])
	case len(l.got) > 0:
		return unanswered(err, "no answer within %v, but %v", l.timeout, l.stranger())
	case l.late:
		return unanswered(err, "no answer within %v, only one to an earlier request: the device is slower than its timeout: raise it, or set gap if it needs a pause between requests", l.timeout)
	case l.answered:
		return unanswered(err, "no answer within %v, although earlier requests were answered: is the device still powered? If it loses requests that come fast, set gap; if it is slow, raise timeout", l.timeout)
	}
	return unanswered(err, "no answer within %v: is this its unit_id, and, behind a gateway, is the device powered? A device server that passes RTU frames needs driver modbus-rtu with this bus", l.timeout)
}
