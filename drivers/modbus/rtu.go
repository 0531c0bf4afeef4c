package modbus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aldas/go-modbus-client/packet"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

const (
	maxFrame = 256 // with unit and checksum
	crcSize  = 2
	slack    = 50 * time.Millisecond
	// t3.5 from 19200 bits per second on: section 2.5.1.1 of the serial line specification
	minGap = 1750 * time.Microsecond
)

// An rtu is a device on a serial line.
type rtu struct {
	*settings
	reader *stream.Reader
	mode   drivers.SerialMode
	gap    time.Duration
	frame  []byte // the request
	got    []byte // what has come since
	echoes bool   // the line returns what is sent
	late   bool   // an answer that was given up may still come
}

func newRTU(s *settings, port drivers.Port, mode drivers.SerialMode, gap time.Duration) *rtu {
	if gap == 0 {
		gap = max(minGap, mode.PerByte()*7/2)
	}
	return &rtu{settings: s, reader: stream.NewReader(port), mode: mode, gap: gap}
}

// exchange implements link. The data are good until the next call.
func (l *rtu) exchange(ctx context.Context, q *request) ([]byte, error) {
	if err := drivers.Wait(ctx, l.gap); err != nil {
		return nil, err
	}
	l.frame = binary.LittleEndian.AppendUint16(append(l.frame[:0], q.body...), packet.CRC16(q.body))
	l.got = l.got[:0]
	var data []byte
	var refusal error
	// with an echo
	wait := l.timeout + time.Duration(2*len(l.frame)+q.answer+crcSize)*l.mode.PerByte()
	err := l.reader.Ask(ctx, l.frame, wait, func(p []byte) (found bool) {
		l.got = append(l.got[max(0, len(l.got)-2*maxFrame):], p...)
		data, refusal, found = l.find(q)
		return found
	})
	if err != nil {
		l.late = true
		return nil, l.explain(q, err)
	}
	if l.late {
		if err := l.settle(ctx, q, 2*wait+slack); err != nil {
			return nil, err
		}
		l.late = false
	}
	return data, refusal
}

// find looks for the answer in what has come.
func (l *rtu) find(q *request) (data []byte, refusal error, found bool) {
	rest := l.got
	echo := bytes.Index(rest, l.frame)
	if echo >= 0 && (!q.echo || l.echoes) {
		rest = rest[echo+len(l.frame):]
	}
	for ; len(rest) >= 3+crcSize; rest = rest[1:] {
		n := q.expects(rest)
		if n == 0 || len(rest) < n+crcSize || !intact(rest[:n+crcSize]) {
			continue
		}
		if !q.echo {
			l.echoes = echo >= 0
		}
		data, refusal = q.accept(rest[:n])
		return data, refusal, true
	}
	return nil, nil, false
}

// intact reports whether the checksum at the end of a frame is right.
func intact(frame []byte) bool {
	n := len(frame) - crcSize
	return packet.CRC16(frame[:n]) == binary.LittleEndian.Uint16(frame[n:])
}

// settle makes sure, after an answer that may have been that to an earlier request, that there
// comes no second one. Requests that were repeated are a wait apart, and so are their answers.
func (l *rtu) settle(ctx context.Context, q *request, quiet time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	l.got = nil // the answer is in it
	err := l.reader.Next(limited, func(p []byte) (found bool) {
		l.got = append(l.got[max(0, len(l.got)-2*maxFrame):], p...)
		_, _, found = l.find(q)
		return found
	})
	switch {
	case err == nil:
		return fmt.Errorf("the device answers later than its timeout of %v: raise it", l.timeout)
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return nil
	}
	return err
}

// explain says what came instead of an answer; err is why the wait ended.
func (l *rtu) explain(q *request, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	seen, rest := &l.reader.Seen, l.got
	if i := bytes.Index(rest, l.frame); i >= 0 {
		rest = rest[i+len(l.frame):]
		if len(rest) == 0 {
			return unanswered(err, "no answer within %v at %v, only the echo of the request: is the device powered, is this its unit_id, and are baud and parity those of the device?",
				l.timeout, l.mode)
		}
	}
	if seen.Count == 0 {
		return unanswered(err, "no answer within %v at %v: is the device powered, is this its unit_id, are baud and parity those of the device, and are A and B not swapped?",
			l.timeout, l.mode)
	}
	for b := rest; len(b) >= 3; b = b[1:] { // what the device itself said tells most
		switch n := q.expects(b); {
		case n > 0 && len(b) >= n+crcSize:
			return unanswered(err, "the answer was damaged on the line (its checksum is wrong): % x", b[:min(n+crcSize, 16)])
		case n > 0:
			return unanswered(err, "the answer broke off after %d of %d bytes: % x", len(b), n+crcSize, b[:min(len(b), 16)])
		}
	}
	for b := rest; len(b) >= 3+crcSize; b = b[1:] {
		if unit, function, ok := frameOf(b); ok {
			return unanswered(err, "no answer within %v, but one of unit %d to a request with function %d, late or wrongly", l.timeout, unit, function)
		}
	}
	return unanswered(err, "%d bytes came but no valid frame; the first are % x: baud rate, parity or stop bits are probably not the device's (configured: %v)",
		seen.Count, seen.First(), l.mode)
}

// frameOf says whose answer bytes begin with, if any.
func frameOf(b []byte) (unit, function byte, ok bool) {
	n := 0
	switch {
	case b[1]&exceptionBit != 0:
		n = 3
	case b[1] >= 1 && b[1] <= 4:
		n = 3 + int(b[2])
	case b[1] == 5, b[1] == 6, b[1] == 15, b[1] == 16:
		n = 6
	}
	return b[0], b[1] &^ exceptionBit, n > 0 && len(b) >= n+crcSize && intact(b[:n+crcSize])
}
