package bus

import (
	"fmt"
	"syscall"
	"time"
)

const (
	hangAfter   = 3 // transfers in a row that time out, whatever their addresses
	minHangWait = time.Second
	maxHangWait = 30 * time.Second
)

// A hang is what is known of a bus on which nothing gets through: one of its lines is held low, and
// each transfer blocks until the adapter gives up, which takes up to a second. Userland cannot free
// such a bus (the nine clocks that may need the pins as GPIO, and some adapters' drivers send them
// by themselves), so it is left alone for 1 s, 2 s, 4 s … 30 s, and then tried by the first caller.
//
// Some adapters (i.MX) time out if no device answers too. So what counts is that an address times
// out which has answered before, or that none has.
type hang struct {
	answered [128]bool // addresses
	anybody  bool
	timeouts int           // in a row
	proven   bool          // one of them was of an address that has answered before
	since    time.Time     // of the first of them
	wait     time.Duration // before the next try; 0 while the bus does not hang
	next     time.Time
}

// refuses returns how long the bus is left alone yet; 0: it may be tried.
func (h *hang) refuses(now time.Time) time.Duration {
	if h.wait == 0 || !now.Before(h.next) {
		return 0
	}
	return h.next.Sub(now)
}

// note takes in how a transfer ended, and reports whether the hang began or ended with it. Any
// answer shows that the lines are free, a missing acknowledgement too.
func (h *hang) note(addr uint16, errno syscall.Errno, now time.Time) (began, ended bool) {
	if errno != syscall.ETIMEDOUT {
		ended = h.wait > 0
		h.timeouts, h.wait, h.proven = 0, 0, false
		if errno == 0 {
			h.answered[addr], h.anybody = true, true
		}
		return false, ended
	}
	if h.timeouts++; h.timeouts == 1 {
		h.since = now
	}
	h.proven = h.proven || h.answered[addr]
	if h.timeouts < hangAfter || h.anybody && !h.proven {
		return false, false
	}
	began = h.wait == 0
	h.wait = min(max(2*h.wait, minHangWait), maxHangWait)
	h.next = now.Add(h.wait)
	return began, false
}

// hangs returns the error of a transfer on a bus that hangs. It is os.ErrClosed, because a device
// that is power-cycled has to be set up again.
func hangs(name string, left time.Duration) error {
	return &loss{fmt.Sprintf("%s hangs: every transfer times out: %s; the next try is in %v", name, held, left.Round(100*time.Millisecond)), syscall.ETIMEDOUT}
}

const held = "SDA or SCL is held low, by wiring, missing pull-ups or a hung device; power-cycle the devices"
