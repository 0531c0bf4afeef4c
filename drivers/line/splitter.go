package line

import "bytes"

// maxLineEnd bounds the option line_end, in bytes.
const maxLineEnd = 32

// A splitter makes lines out of bytes. It never holds more than it was made for.
type splitter struct {
	end     []byte // of a line; nil: CR, LF or both
	maxLine int
	buf     []byte // bytes not yet made lines of: buf[from:n]
	from, n int
	looked  int  // before it, there is no line end in these
	drop    bool // what comes before the next line end is the rest of a line
	dropped int  // bytes of that
	last    byte // the CR or LF that has just ended a line; 0: something else came since

	lines int // that have ended
	long  int // that were longer than maxLine
}

// newSplitter returns a splitter that drops everything until the first line end.
func newSplitter(maxLine int, end []byte) splitter {
	if len(end) == 0 {
		end = nil
	}
	return splitter{end: end, maxLine: maxLine, buf: make([]byte, maxLine+len(end)+1024), drop: true}
}

// restart forgets what has come. If inside is set, what comes before the next line end is the rest
// of a line.
func (s *splitter) restart(inside bool) {
	s.from, s.n, s.looked, s.last, s.drop, s.dropped = 0, 0, 0, 0, inside, 0
}

// room returns where bytes are to be read into: at least 1024, if next was called until it had no
// line.
func (s *splitter) room() []byte {
	s.n = copy(s.buf, s.buf[s.from:s.n])
	s.looked -= s.from
	s.from = 0
	return s.buf[s.n:]
}

// put adds the first n bytes of room.
func (s *splitter) put(n int) { s.n += n }

// next returns the next complete line, without its end, which may be empty. It is valid until room
// is called. Lines that are too long are passed over.
func (s *splitter) next() (line []byte, ok bool) {
	for {
		at, size := s.find()
		if at < 0 {
			s.keep()
			return nil, false
		}
		line = s.buf[s.from:at]
		s.from = at + size
		s.looked = s.from
		s.lines++
		whole := !s.drop
		s.drop, s.dropped = false, 0
		if whole && len(line) > s.maxLine {
			s.long++
			whole = false
		}
		if whole {
			return line, true
		}
	}
}

// find returns where the next line end is and its size; -1: there is none yet.
func (s *splitter) find() (at, size int) {
	if s.end != nil {
		at = bytes.Index(s.buf[s.looked:s.n], s.end)
		size = len(s.end)
	} else {
		s.skipPartner()
		at = bytes.IndexAny(s.buf[s.looked:s.n], "\r\n")
		size = 1
	}
	if at < 0 {
		s.looked = max(s.looked, s.n-s.tail())
		return -1, 0
	}
	at += s.looked
	if s.end == nil {
		s.last = s.buf[at]
	}
	return at, size
}

// skipPartner passes over the second character of CR LF, and of LF CR.
func (s *splitter) skipPartner() {
	if s.last == 0 || s.from == s.n {
		return
	}
	if c := s.buf[s.from]; c == '\r'+'\n'-s.last {
		s.from++
		s.looked = max(s.looked, s.from)
	}
	s.last = 0
}

// tail returns how many bytes may be the beginning of a line end.
func (s *splitter) tail() int { return max(len(s.end)-1, 0) }

// keep makes room if what is left is the rest of a line, or the beginning of one that is too long.
func (s *splitter) keep() {
	begun := s.n - s.from - s.tail()
	if begun <= 0 || !s.drop && begun <= s.maxLine {
		return
	}
	s.drop = true
	if s.dropped <= s.maxLine && s.dropped+begun > s.maxLine {
		s.long++
	}
	s.dropped += begun
	s.from += begun
	s.looked = max(s.looked, s.from)
}
