package uplink

import (
	"maps"
	"slices"

	"github.com/fieldgate/fieldgate/buffer"
)

const (
	probeRecords = 20      // readings of a paused topic that stay here, to probe with
	probeBytes   = 4 << 10 // and their bodies; one may be more
	reachMax     = 160     // how many times as many the pauses have together that try the newest reading as well
)

// SetHeld makes the readings of these sensors wait in the store from now on, and P/last of them;
// nil: none. It may be called from any goroutine and returns at once. The map must not change
// afterwards.
func (u *Uplink) SetHeld(sensors map[string]bool) {
	u.mu.Lock()
	u.toHold, u.holdNew = sensors, true
	u.mu.Unlock()
	u.Wake()
}

// withhold makes the store pass over the streams of a lane whose topic is paused, and over those
// that SetHeld names, before more is taken: they wait there, however many they are, and all others
// flow. The readings of a stream that have no time wait without those that have one. A pause has
// the oldest of what was on its way to probe with, and gives the rest back.
func (u *Uplink) withhold(l *lane) {
	if len(u.pauses)+len(l.withheld)+len(u.held) == 0 {
		return
	}
	swaps := 0
	for _, p := range u.pauses {
		if p.swap {
			swaps++
		}
	}
	share := reachMax / max(swaps, 1)
	parts := map[buffer.Part]bool{}
	for stream := range u.held {
		parts[buffer.Part{Stream: stream}] = true
	}
	var full []*pause
	for _, p := range u.pauses {
		switch {
		case p.lane != l:
		case p.full(share):
			p.parts(parts)
			full = append(full, p)
		default:
			p.from = 0
		}
	}
	if !maps.Equal(parts, l.withheld) {
		l.withheld = parts
		u.cfg.Queue.Hold(l.id, parts)
	}
	for _, p := range full {
		u.shed(p, share)
	}
}

// parts adds to a set what the store is to pass over for a pause.
func (p *pause) parts(set map[buffer.Part]bool) {
	if p.undated == nil {
		set[buffer.Part{Stream: p.stream}] = true
	}
	for kernel := range p.undated {
		set[buffer.Part{Stream: p.stream, Kernel: kernel}] = true
	}
}

// full reports whether a pause needs no more to probe with. One that tries the newest reading as
// well looks further ahead each time.
func (p *pause) full(share int) bool {
	switch n := p.times(share); {
	case p.staged, p.probing:
		return true
	case p.swap:
		return p.records >= n*probeRecords || p.bytes >= n*probeBytes
	}
	return len(p.held) > 0
}

// times returns how many times probeRecords and probeBytes a pause may have.
func (p *pause) times(share int) int { return max(min(p.reach, share), 1) }

// shed gives back what a pause does not need to probe with.
func (u *Uplink) shed(p *pause, share int) {
	most := p.times(share)
	records, bytes := 0, 0
	for i, g := range p.held {
		n := 0
		for n < len(g.pins) && (records == 0 || records < most*probeRecords && bytes+g.pins[n].Len() <= most*probeBytes) {
			bytes += g.pins[n].Len()
			records++
			n++
		}
		if n == len(g.pins) {
			continue
		}
		rest := slices.Clone(p.held[i:])
		p.held = slices.Delete(p.held, i, len(p.held))
		if n > 0 {
			rest[0] = u.cut(g, n)
			g.pins = slices.Clone(g.pins) // holds no memory of the rest
			p.held = append(p.held, g)
		}
		p.records, p.bytes, p.from = records, bytes, rest[0].first().Pos
		for _, g := range rest {
			u.cfg.Queue.Release(u.records(g))
		}
		return
	}
}

// keep holds back what goes to a paused topic. What is newer than what the store has of it goes
// there.
func (u *Uplink) keep(p *pause, g *group) {
	if p.undated != nil {
		p.undated[g.first().Kernel] = true
	}
	if p.from > 0 && g.first().Pos > p.from {
		u.cfg.Queue.Release(u.records(g))
		return
	}
	p.held = insert(p.held, g)
	p.count(g, +1)
}
