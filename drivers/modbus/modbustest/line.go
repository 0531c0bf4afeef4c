package modbustest

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// A Line is units on a serial line, by their addresses.
type Line struct {
	Units map[byte]*Unit
	// Garble, unless nil, changes what the line carries after a request: its echo, noise, a damaged
	// or missing answer. It returns what comes after delay.
	Garble func(request, answer []byte) (carried []byte, delay time.Duration)

	mu sync.Mutex
}

// Hears returns what the line carries after a request, and when. A frame that is none, and one for
// an absent unit, has no answer.
func (l *Line) Hears(request []byte) ([]byte, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var answer []byte
	if n := len(request); n >= 4 && crc(request[:n-2]) == binary.LittleEndian.Uint16(request[n-2:]) {
		if u := l.Units[request[0]]; u != nil {
			answer = append([]byte{request[0]}, u.Answer(request[1:n-2])...)
			answer = binary.LittleEndian.AppendUint16(answer, crc(answer))
		}
	}
	if l.Garble != nil {
		return l.Garble(request, answer)
	}
	return answer, 0
}

// Serve answers requests until rw fails, with the master's end of a pseudo-terminal until that is
// closed.
func (l *Line) Serve(rw io.ReadWriter) error {
	var got []byte
	buf := make([]byte, 512)
	for {
		n, err := rw.Read(buf)
		if err != nil {
			return err
		}
		got = append(got, buf[:n]...)
		size := requestSize(got)
		if size == 0 || len(got) < size {
			continue
		}
		answer, delay := l.Hears(got[:size])
		got = got[:0]
		if delay > 0 {
			time.Sleep(delay)
		}
		if len(answer) > 0 {
			if _, err := rw.Write(answer); err != nil {
				return err
			}
		}
	}
}

// requestSize returns the length of the request that begins with these bytes, with its checksum; 0
// while that is not known.
func requestSize(b []byte) int {
	switch {
	case len(b) < 2:
		return 0
	case b[1] != 15 && b[1] != 16:
		return 8
	case len(b) < 7:
		return 0
	}
	return 9 + int(b[6])
}

// crc is section 6.2.2 of the serial line specification.
func crc(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			odd := sum&1 != 0
			sum >>= 1
			if odd {
				sum ^= 0xa001
			}
		}
	}
	return sum
}

// Frame returns a frame with its checksum.
func Frame(b ...byte) []byte { return binary.LittleEndian.AppendUint16(b, crc(b)) }

// TCP returns what a server with these units answers to a request with its header; nil if it has no
// such unit.
func TCP(units map[byte]*Unit, request []byte) []byte {
	if len(request) < 8 || units[request[6]] == nil {
		return nil
	}
	pdu := units[request[6]].Answer(request[7:])
	answer := append([]byte(nil), request[:4]...)
	answer = binary.BigEndian.AppendUint16(answer, uint16(1+len(pdu)))
	return append(append(answer, request[6]), pdu...)
}
