package packet

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxStringLength is the largest length of a string or of binary data, in bytes.
const MaxStringLength = 65535

// ValidString reports whether s may be an MQTT string: well-formed UTF-8 without U+0000, at most
// 65,535 bytes [MQTT-1.5.4-1] [MQTT-1.5.4-2].
func ValidString(s string) bool {
	return len(s) <= MaxStringLength && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// ValidTopic reports whether s may be a topic name: a valid string of at least one character
// [MQTT-4.7.3-1] without wildcards [MQTT-3.3.2-2]. Control characters and non-characters, which the
// standard advises against and lets a receiver reject (1.5.4), make it invalid too: brokers that
// reject them end the connection of the sender.
func ValidTopic(s string) bool {
	for i := range len(s) {
		if !plainTopic[s[i]] {
			return s[i] >= utf8.RuneSelf && validRunes(s[i:]) && len(s) <= MaxStringLength
		}
	}
	return s != "" && len(s) <= MaxStringLength
}

// plainTopic has the ASCII characters that a topic name may have: every message that is sent goes
// through it.
var plainTopic = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '+' && c != '#'
	}
	return t
}()

func validRunes(s string) bool {
	for _, c := range s {
		switch {
		case c == '+', c == '#', unicode.IsControl(c):
			return false
		case c >= 0xFDD0 && c <= 0xFDEF, c&0xFFFE == 0xFFFE:
			return false
		}
	}
	return utf8.ValidString(s)
}

// varint decodes a variable byte integer. n is the number of bytes, 0 while b is too short and -1
// if the form is not the shortest one or is longer than 4 bytes [MQTT-1.5.5-1].
func varint(b []byte) (v uint32, n int) {
	for i := range 4 {
		if i == len(b) {
			return 0, 0
		}
		v |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if b[i] == 0 && i > 0 {
				return 0, -1
			}
			return v, i + 1
		}
	}
	return 0, -1
}

func varintSize(v uint32) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	}
	return 4
}

func appendVarint(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendUint16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func appendUint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

// appendString appends s, a string or binary data, after its length. Longer data than
// MaxStringLength is the caller's mistake.
func appendString[T string | []byte](b []byte, s T) []byte {
	return append(appendUint16(b, uint16(len(s))), s...)
}

// A reader takes a body apart. After the first error every result is zero and the error stays.
type reader struct {
	typ  Type
	rest []byte
	err  *Error
}

func (r *reader) fail(err *Error) {
	if r.err == nil {
		r.err, r.rest = err, nil
	}
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail(malformed(r.typ, "packet is too short"))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) varint() uint32 {
	v, n := varint(r.rest)
	if n <= 0 {
		r.fail(malformed(r.typ, "variable byte integer is cut off or not the shortest one"))
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// binary returns binary data, which is a part of the body.
func (r *reader) binary() []byte { return r.take(int(r.uint16())) }

func (r *reader) string() string {
	b := r.binary()
	for _, c := range b {
		if c == 0 {
			r.fail(malformed(r.typ, "string holds U+0000"))
			return ""
		}
	}
	if !utf8.Valid(b) {
		r.fail(malformed(r.typ, "string is not UTF-8"))
		return ""
	}
	return string(b)
}

// id returns a packet identifier, which is never 0 [MQTT-2.2.1-4].
func (r *reader) id() uint16 {
	id := r.uint16()
	if id == 0 {
		r.fail(violation(r.typ, "packet identifier is 0"))
	}
	return id
}

// code returns a reason code of the packet's table. An answer to one message or one filter may have
// any code from 0x80 on: it refuses that and no more, while a protocol error would end the
// connection and make the client send the same again. Mosquitto answers a message above its
// message_size_limit with PUBACK 0x95, which is not in the table.
func (r *reader) code() ReasonCode {
	c := ReasonCode(r.byte())
	switch r.typ {
	case PUBACK, PUBREC, SUBACK, UNSUBACK:
		if c.Failed() {
			return c
		}
	}
	if r.err == nil && !c.In(r.typ) {
		r.fail(violation(r.typ, "reason code "+c.String()+" is not in its table"))
	}
	return c
}

// end returns the error; it is one too if something is left.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail(malformed(r.typ, "packet is too long"))
	}
	if r.err != nil {
		return r.err
	}
	return nil
}
