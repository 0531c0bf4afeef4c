package sml

import (
	"errors"
	"fmt"
)

// Types of an element, in bits 4 to 6 of its first byte.
const (
	octets   = 0
	integer  = 5
	unsigned = 6
	list     = 7
)

const (
	maxDepth     = 8      // of lists in lists; GetList.Res has 5
	getListReply = 0x0701 // the tag of the message with the values
)

var errShort = errors.New("it ends within an element")

// An element is a number, bytes, or a list of elements.
type element struct {
	kind   byte
	bytes  []byte // of octets
	number int64  // of integer and unsigned
	whole  bool   // the number fits
	list   []element
}

// read takes the first element off b.
func read(b []byte, depth int) (e element, rest []byte, err error) {
	if len(b) == 0 {
		return e, nil, errShort
	}
	if depth > maxDepth {
		return e, nil, fmt.Errorf("it has more than %d lists in each other", maxDepth)
	}
	e.kind = b[0] >> 4 & 7
	n, head := int(b[0]&15), 1
	for more := b[0]&0x80 != 0; more; head++ {
		if head == len(b) || head == 4 {
			return e, nil, errShort
		}
		n = n<<4 | int(b[head]&15)
		more = b[head]&0x80 != 0
	}
	if e.kind == list {
		if n > len(b) { // each element has a byte at least
			return e, nil, errShort
		}
		rest = b[head:]
		for range n {
			var inner element
			if inner, rest, err = read(rest, depth+1); err != nil {
				return e, nil, err
			}
			e.list = append(e.list, inner)
		}
		return e, rest, nil
	}
	if n == 0 && head == 1 { // the end of a message
		return e, b[1:], nil
	}
	if n < head || n > len(b) { // the length is with the first bytes
		return e, nil, errShort
	}
	e.bytes, rest = b[head:n], b[n:]
	if (e.kind == integer || e.kind == unsigned) && len(e.bytes) > 0 && len(e.bytes) <= 8 {
		v := uint64(0)
		if e.kind == integer && e.bytes[0]&0x80 != 0 {
			v = ^uint64(0)
		}
		for _, c := range e.bytes {
			v = v<<8 | uint64(c)
		}
		e.number, e.whole = int64(v), e.kind == integer || v <= 1<<63-1
	}
	return e, rest, nil
}

// A quantity is a number of a meter with its unit: a code of DLMS.
type quantity struct {
	number float64
	scaler int
	unit   int64
}

// parse returns the quantities of a frame by their OBIS codes, "1-0:1.8.0".
func parse(body []byte) (map[string]quantity, error) {
	all := map[string]quantity{}
	for len(body) > 0 {
		var message element
		var err error
		if message, body, err = read(body, 0); err != nil {
			return nil, err
		}
		if len(message.list) < 4 || len(message.list[3].list) != 2 || message.list[3].list[0].number != getListReply {
			continue
		}
		reply := message.list[3].list[1].list
		if len(reply) < 5 {
			return nil, errors.New("its list of values is too short")
		}
		for _, entry := range reply[4].list {
			if len(entry.list) < 6 || len(entry.list[0].bytes) != 6 {
				continue
			}
			unit, scaler, value := entry.list[3], entry.list[4], entry.list[5]
			if !value.whole || scaler.number < -12 || scaler.number > 12 {
				continue
			}
			code := entry.list[0].bytes
			all[fmt.Sprintf("%d-%d:%d.%d.%d", code[0], code[1], code[2], code[3], code[4])] = quantity{float64(value.number), int(scaler.number), unit.number}
		}
	}
	return all, nil
}
