package line

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// encoded returns a text as the device has it.
func encoded(encoding, text string) ([]byte, error) {
	if encoding != latin1Text {
		return []byte(text), nil
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("%q is not in the encoding latin-1", r)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// A decoder makes UTF-8 of what a device says.
type decoder struct {
	latin1 bool
	keep   string // controls that are not trimmed, because they are separators
	buf    []byte
}

// trim removes controls at both ends, such as STX and ETX around a value, the NULs of a restart,
// XON and XOFF. Tabs stay, since they separate columns.
func (d *decoder) trim(raw []byte) []byte {
	for len(raw) > 0 && d.strip(raw[0]) {
		raw = raw[1:]
	}
	for len(raw) > 0 && d.strip(raw[len(raw)-1]) {
		raw = raw[:len(raw)-1]
	}
	return raw
}

func (d *decoder) strip(c byte) bool {
	return (c < ' ' || c == 0x7f) && c != '\t' && strings.IndexByte(d.keep, c) < 0
}

// text returns raw as UTF-8, in which a byte that is not has become U+FFFD. It may share the memory
// of raw, and is valid until the next call.
func (d *decoder) text(raw []byte) []byte {
	if !d.latin1 && utf8.Valid(raw) {
		return raw
	}
	d.buf = d.buf[:0]
	for len(raw) > 0 {
		r, size := rune(raw[0]), 1
		if !d.latin1 {
			r, size = utf8.DecodeRune(raw)
		}
		d.buf = utf8.AppendRune(d.buf, r)
		raw = raw[size:]
	}
	return d.buf
}

// isGarbage reports whether so much of a text is not text that it must be the noise of a line or of
// a wrong baud rate.
func isGarbage(text []byte) bool {
	strange, all := 0, 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 {
			strange++
		}
		all++
		text = text[size:]
	}
	return strange > 1 && strange*3 > all
}
