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
}

func newTCP(s *settings, port drivers.Port) *tcp {
	return &tcp{settings: s, reader: stream.NewReader(port)}
}

// exchange implements link. The data are good until the next call.
func (l *tcp) exchange(ctx context.Context, q *request) ([]byte, error) {
	l.transaction++
	l.frame = binary.BigEndian.AppendUint16(l.frame[:0], l.transaction)
	l.frame = binary.BigEndian.AppendUint16(l.frame, 0)
	l.frame = binary.BigEndian.AppendUint16(l.frame, uint16(len(q.body)))
	l.frame = append(l.frame, q.body...)
	l.got = l.got[:0]
	var data []byte
	var answerErr error
	err := l.reader.Ask(ctx, l.frame, l.timeout, func(p []byte) (found bool) {
		l.got = append(l.got, p...)
		data, answerErr, found = l.find(q)
		return found
	})
	switch {
	case err == nil:
		return data, answerErr
	case !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case l.reader.Seen.Count == 0:
		return nil, unanswered(err, "no answer within %v: is this its unit_id, and, behind a gateway, is the device powered?", l.timeout)
	}
	return nil, unanswered(err, "no answer within %v, but %d bytes that are none; the first are % x", l.timeout, l.reader.Seen.Count, l.reader.Seen.First())
}

// find takes apart what has come, and passes over answers to earlier requests.
func (l *tcp) find(q *request) (data []byte, err error, found bool) {
	for len(l.got) >= headerSize {
		transaction := binary.BigEndian.Uint16(l.got)
		protocol := binary.BigEndian.Uint16(l.got[2:])
		n := int(binary.BigEndian.Uint16(l.got[4:]))
		if protocol != 0 || n < 3 || n > maxFrame {
			return nil, fmt.Errorf("what came is not Modbus TCP: % x", l.got[:min(len(l.got), 16)]), true
		}
		if len(l.got) < headerSize+n {
			return nil, nil, false
		}
		frame := l.got[headerSize : headerSize+n]
		if transaction == l.transaction {
			if want := q.expects(frame); want != n {
				return nil, fmt.Errorf("the answer does not fit the request: %d bytes of unit %d, function %d: % x", n, frame[0], frame[1], frame[:min(n, 16)]), true
			}
			data, err = q.accept(frame)
			return data, err, true
		}
		l.got = l.got[headerSize+n:]
	}
	return nil, nil, false
}
