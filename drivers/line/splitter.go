package line

import (
	"bytes"
	"unicode/utf8"
)

// A splitter makes lines out of bytes. It never holds more than it was made for.
type splitter struct {
	maxLine int
	buf     []byte // bytes not yet made lines of
	n       int    // how many of them there are
	drop    bool   // what comes before the next line end is the rest of a line
}

// newSplitter returns a splitter that drops everything until the first line end.
func newSplitter(maxLine int) splitter {
	return splitter{maxLine: maxLine, buf: make([]byte, maxLine+1024), drop: true}
}

// room returns where bytes are to be read into: at least a byte, as long as next is called until it
// has no line.
func (s *splitter) room() []byte { return s.buf[s.n:] }

// put adds the first n bytes of room.
func (s *splitter) put(n int) { s.n += n }

// next returns the next complete line, without its end. Lines that are empty, too long or not UTF-8
// are passed over.
func (s *splitter) next() (line string, ok bool) {
	for {
		end := bytes.IndexAny(s.buf[:s.n], "\r\n")
		if end < 0 {
			if s.drop || s.n > s.maxLine {
				s.drop, s.n = true, 0
			}
			return "", false
		}
		bad := s.drop || end == 0 || end > s.maxLine || !utf8.Valid(s.buf[:end])
		s.drop = false
		if !bad {
			line = string(s.buf[:end])
		}
		s.n = copy(s.buf, s.buf[end+1:s.n])
		if !bad {
			return line, true
		}
	}
}
