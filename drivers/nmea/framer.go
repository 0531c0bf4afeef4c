package nmea

// maxSentence is longer than the 82 bytes of the standard, which not all receivers keep to.
const maxSentence = 120

// A framer finds sentences in bytes: from a dollar sign to the second digit of the checksum, which
// must be right.
type framer struct {
	buf  [maxSentence]byte
	n    int // bytes of a sentence; 0 outside of one
	star int // where the asterisk is; 0 before it
}

// put adds a byte, and returns the sentence that it completes, from the dollar sign to before the
// asterisk.
func (f *framer) put(c byte) (sentence string, ok bool) {
	switch {
	case c == '$':
		f.buf[0], f.n, f.star = c, 1, 0
		return "", false
	case f.n == 0:
		return "", false
	case c < ' ' || c > '~' || f.n == len(f.buf):
		f.n = 0
		return "", false
	case c == '*' && f.star == 0:
		f.star = f.n
	}
	f.buf[f.n] = c
	f.n++
	if f.star == 0 || f.n < f.star+3 {
		return "", false
	}
	sum := byte(0)
	for _, b := range f.buf[1:f.star] {
		sum ^= b
	}
	f.n = 0
	if digit(f.buf[f.star+1]) != sum>>4 || digit(f.buf[f.star+2]) != sum&15 {
		return "", false
	}
	return string(f.buf[:f.star]), true
}

// digit returns the value of a hexadecimal digit; 255: it is none.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
