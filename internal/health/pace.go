package health

import "time"

// atLeast is the least time between two documents.
const atLeast = time.Second

// A Pace says when P/health is due: every interval, and after a change at once, but not sooner than
// a second after the one before. Times are since power-up. The zero Pace is due.
type Pace struct{ published, next time.Duration }

// Due reports whether it is to be published now, and takes it as published then.
func (p *Pace) Due(up, every time.Duration) bool {
	if up < p.next {
		return false
	}
	p.published, p.next = up, up+every
	return true
}

// Hasten notes a change.
func (p *Pace) Hasten() { p.next = min(p.next, p.published+atLeast) }
