package loghandler

import (
	"bytes"
	"strings"
	"sync"
)

// A Ring keeps the newest lines of the log in memory, for those who look at it later. It is a
// writer that is given one line at a time.
type Ring struct {
	max   int
	mu    sync.Mutex
	lines []byte
}

// NewRing makes a ring of at most so many bytes.
func NewRing(bytes int) *Ring { return &Ring{max: bytes} }

// Write keeps a line, and forgets the oldest ones for it.
func (r *Ring) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(line)
	if n > r.max/4 {
		line = append(bytes.Clone(line[:r.max/4]), '\n')
	}
	if over := len(r.lines) + len(line) - r.max; over > 0 {
		// A quarter at a time: moving the rest for each line would cost more than the line.
		over = max(over, r.max/4)
		if end := bytes.IndexByte(r.lines[min(over, len(r.lines))-1:], '\n'); end >= 0 {
			over += end
		}
		r.lines = append(r.lines[:0], r.lines[min(over, len(r.lines)):]...)
	}
	r.lines = append(r.lines, line...)
	return n, nil
}

// Lines returns the newest lines, oldest first, at most n.
func (r *Ring) Lines(n int) []string {
	r.mu.Lock()
	text := strings.TrimSuffix(string(r.lines), "\n")
	r.mu.Unlock()
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(len(lines)-n, 0):]
}
