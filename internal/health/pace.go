package health

import "time"

// atLeast is the least time between two documents.
const atLeast = time.Second

// A Pace says when P/health is due: every interval, and after a change at once, but not sooner than a second after the one before. Times are
// since power-up. The zero Pace is due.
type Pace struct{ told, next time.Duration }

// Due says whether it is to be told now, and takes it as told then.
func (p *Pace) Due(up, every time.Duration) bool {
	if up < p.next {
		return false
	}
	p.told, p.next = up, up+every
	return true
}

// Soon notes a change.
func (p *Pace) Soon() { p.next = min(p.next, p.told+atLeast) }
