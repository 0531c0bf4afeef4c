package uplink

import (
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	// how often a loss event that nobody got is reported again at least
	unroutedEvery = 5 * time.Minute
	// loss events that are kept for it; those beyond are as other events
	unroutedMax = 1000
)

// unroutedLosses are the loss events that the broker took although nobody had subscribed (PUBACK
// 0x10). An event that reports what did not arrive has to arrive itself: they are kept, in the
// store as well, and meanwhile the ledger makes no more of them. The first is tried again when a
// topic has subscribers again, and every unroutedEvery; the rest follow when it arrives.
type unroutedLosses struct {
	groups []*group
	until  time.Time // the first is not tried before
	trying bool      // it is staged or on its way
	// topics that had no subscriber when the last message came; not those of replies
	noSubscriber map[string]bool
}

// keeps reports whether a group that nobody got is kept: readings if the configuration says so, and
// loss events.
func (u *Uplink) keeps(g *group) bool {
	if g.lane.id == buffer.EventLane {
		return u.isLoss(g) && len(u.unroutedLosses.groups) < unroutedMax
	}
	return u.cfg.Hold
}

func (u *Uplink) isLoss(g *group) bool {
	return g.lane.id == buffer.EventLane && !g.reply() && g.topic == u.cfg.Topics.Event(contract.EventLoss)
}

// keepUnrouted keeps a loss event that nobody got.
func (u *Uplink) keepUnrouted(g *group) {
	h := &u.unroutedLosses
	h.groups = insert(h.groups, g)
	h.until = u.now().Add(unroutedEvery)
	u.cfg.Queue.HoldLosses(true)
}

// routed learns whether a topic has subscribers. If it has some again, loss events may have as
// well.
func (u *Uplink) routed(topic string, has bool) {
	switch h := &u.unroutedLosses; {
	case !has:
		h.noSubscriber[topic] = true
	case h.noSubscriber[topic]:
		delete(h.noSubscriber, topic)
		h.until = u.now()
	}
}

// release stages all loss events that were kept and lets the ledger make more.
func (u *Uplink) release() {
	h := &u.unroutedLosses
	if len(h.groups) > 0 {
		events := &u.lanes[buffer.EventLane]
		events.staged = append(h.groups, events.staged...)
		h.groups = nil
	}
	u.cfg.Queue.HoldLosses(false)
}

// retry stages the first loss event that nobody got, if it is time, and returns how long until it
// is.
func (h *unroutedLosses) retry(now time.Time) time.Duration {
	if h.trying || len(h.groups) == 0 {
		return time.Hour
	}
	if wait := h.until.Sub(now); wait > 0 {
		return wait
	}
	g := h.groups[0]
	h.groups = h.groups[1:]
	h.trying = true
	g.lane.stageFirst(g)
	return time.Hour
}
