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
	gap    time.Duration // that is kept
	frame  []byte        // the request
	got    []byte        // what has come since
	echoes bool          // the line returns what is sent
	late   bool          // an answer that was given up may still come
	// the device has answered before
	answered bool
	network  bool // the line is at the other end of a connection
}

func newRTU(s *settings, port drivers.Port, mode drivers.SerialMode) *rtu {
	gap := s.gap
	if gap == 0 {
		gap = max(minGap, mode.PerByte()*7/2)
	}
	_, network := port.(connection)
	return &rtu{settings: s, reader: stream.NewReader(port), mode: mode, gap: gap, network: network}
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
	l.answered = true
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
		if l.network && closedByPeer(err) {
			return fmt.Errorf("%w: %s; a server that speaks Modbus TCP needs driver modbus-tcp with this bus", err, closedHint)
		}
		return err
	}
	seen, rest, echo := &l.reader.Seen, l.got, ""
	if i := bytes.Index(rest, l.frame); i >= 0 {
		rest, echo = rest[i+len(l.frame):], ", only the echo of the request"
	}
	if seen.Count == 0 || echo != "" && len(rest) == 0 {
		return unanswered(err, "no answer within %v at %v%s: %s", l.timeout, l.mode, echo, l.silenceHint())
	}
	if len(rest) >= headerSize {
		if _, n, ok := header(rest); ok && len(rest) == headerSize+n {
			return unanswered(err, "what came is a Modbus TCP frame: use driver modbus-tcp with this bus: % x", rest[:min(len(rest), 16)])
		}
	}
	for b := rest; len(b) >= 3; b = b[1:] { // what the device itself said tells most
		switch n := q.expects(b); {
		case n > 0 && len(b) >= n+crcSize:
			return unanswered(err, "the answer was damaged on the line (its checksum is wrong): % x", b[:min(n+crcSize, 16)])
		case n > 0:
			return unanswered(err, "the answer broke off after %d of %d bytes: lower max_read if long answers do, raise timeout if the device pauses in an answer: % x", len(b), n+crcSize, b[:min(len(b), 16)])
		}
	}
	for b := rest; len(b) >= 3+crcSize; b = b[1:] {
		if _, _, ok := frameOf(b); ok {
			return unanswered(err, "no answer within %v, but another frame: %s; if it was late, raise timeout", l.timeout, q.misfit(b))
		}
	}
	return unanswered(err, "%d bytes came but no valid frame; the first are % x: baud, parity or stop_bits are probably not the device's (configured: %v)",
		seen.Count, seen.First(), l.mode)
}

// silenceHint says what to look at if nothing comes.
func (l *rtu) silenceHint() string {
	switch {
	case l.answered:
		return "earlier requests were answered: is the device still powered? If it loses requests that come fast, set gap; if it is slow, raise timeout"
	case l.network:
		return "is the device powered, is this its unit_id, and has the device server its baud rate and parity? A server that speaks Modbus TCP needs driver modbus-tcp with this bus"
	}
	return "is the device powered, is this its unit_id, are baud and parity those of the device, and are A and B not swapped?"
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
