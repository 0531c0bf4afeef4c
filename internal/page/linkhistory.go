package page

import (
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	linkPoints = 288 // a day
	linkSpan   = 5 * time.Minute
	maxOutages = 6
)

// States of the link.
const (
	unknown = iota // before the program started
	online
	asleep
	offline
	linkStates
)

// A linkPoint is how long the link was in each state within a linkSpan.
type linkPoint [linkStates]uint32 // milliseconds

// An outage is a time without a connection that was not planned.
type outage struct {
	began, ended time.Duration // since power-up; ended is 0 while it lasts
	cause        string
}

// linkHistory is the last day of the link. It is told of changes; in between the state is the last
// one.
type linkHistory struct {
	state   int
	at      time.Duration // until when points are right
	began   time.Duration
	points  [linkPoints]linkPoint
	outages []outage // newest last
	count   int      // of all
}

// linkState returns the state that a link is in.
func linkState(l contract.LinkHealth) int {
	switch {
	case l.Connected:
		return online
	case l.Asleep:
		return asleep
	}
	return offline
}

// change takes in the state that the link has come into.
func (h *linkHistory) change(up time.Duration, l contract.LinkHealth) {
	h.advance(up)
	before := h.state
	h.state = linkState(l)
	if before == offline && len(h.outages) > 0 {
		last := &h.outages[len(h.outages)-1]
		if h.state != offline {
			last.ended = up
		}
		if l.Error != "" {
			last.cause = cut(l.Error, 200)
		}
	}
	if h.state == offline && before != offline {
		h.count++
		if len(h.outages) == maxOutages {
			h.outages = append(h.outages[:0], h.outages[1:]...)
		}
		h.outages = append(h.outages, outage{began: up, cause: cut(l.Error, 200)})
	}
}

// advance counts the time until now for the state.
func (h *linkHistory) advance(up time.Duration) {
	if up-h.at > linkPoints*linkSpan {
		h.at = up - linkPoints*linkSpan
		clear(h.points[:])
	}
	for h.at < up {
		n := int64(h.at / linkSpan)
		end := min(up, time.Duration(n+1)*linkSpan)
		p := &h.points[n%linkPoints]
		if h.at%linkSpan == 0 {
			*p = linkPoint{} // that of a day ago
		}
		p[h.state] += uint32((end - h.at).Milliseconds())
		h.at = end
	}
}

// day returns the last day of the link, oldest first, and its outages, newest first.
func (h *history) day(up time.Duration) (list []linkPoint, outages []outage, count int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &h.link
	l.advance(up)
	newest := int64(max(l.at-1, 0) / linkSpan)
	list = make([]linkPoint, linkPoints)
	for i := range list {
		if n := newest - linkPoints + 1 + int64(i); n >= int64(l.began/linkSpan) {
			list[i] = l.points[n%linkPoints]
		}
	}
	for i := len(l.outages) - 1; i >= 0; i-- {
		outages = append(outages, l.outages[i])
	}
	return list, outages, l.count
}

// cut shortens a text that somebody else wrote.
func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && s[bytes]&0xc0 == 0x80 {
		bytes--
	}
	return s[:bytes] + "…"
}
