package line

import (
	"bytes"
	"regexp"
)

// A recorder joins lines to records, each of at most as many bytes as a line.
type recorder struct {
	end  *regexp.Regexp // matches the last line of a record
	max  int
	buf  []byte
	open bool // a line of the record has come
	drop bool // what comes before the next end is the rest of a record

	ends int // of records that have come
	long int // records that were too long
}

// restart forgets what has come. If inside is set, what comes before the next end is the rest of a
// record.
func (r *recorder) restart(inside bool) { r.open, r.drop = false, inside }

// add adds a line, of which text is what the end is looked for in. It returns the record if that is
// complete, which is valid until the next call. One that is too long or empty is passed over.
func (r *recorder) add(line, text []byte) (record []byte, ok bool) {
	last := r.end.Match(text)
	if last {
		r.ends++
	}
	if r.drop {
		r.drop = !last
		return nil, false
	}
	if r.open {
		r.buf = append(r.buf, '\n')
	} else {
		r.buf, r.open = r.buf[:0], true
	}
	if len(r.buf)+len(line) > r.max {
		r.long++
		r.restart(!last)
		return nil, false
	}
	r.buf = append(r.buf, line...)
	if !last {
		return nil, false
	}
	r.open = false
	return r.buf, len(bytes.TrimSpace(r.buf)) > 0
}
