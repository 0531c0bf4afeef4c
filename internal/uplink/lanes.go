package uplink

import (
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload"
)

const (
	flightBytes = 256 << 10   // of the live lane's payloads on their way, which stay in RAM; one message may be more
	docsShare   = 4           // newest readings (P/last) take at most this part of the window
	clockPoll   = time.Second // how often a boot without a time is looked at again
)

// lane is one of the store's queues on its way out.
type lane struct {
	id       buffer.Lane
	withheld map[buffer.Part]bool // over which the store passes
	open     assembly             // what may still get company
	staged   []*group             // what is to be sent, in order
	inFlight int                  // messages
	bytes    int                  // of their payloads
	passed   int                  // messages that other lanes sent while this one waited
	overdue  uint64               // up to this position readings have waited for company long enough
}

// group is what becomes one PUBLISH: readings of one sensor and run, or one event.
type group struct {
	lane  *lane
	topic string          // that of a reply is known when it is rendered
	pins  []buffer.Pin    // of its records
	due   time.Time       // until when it waits for company
	max   int             // records, of readings
	form  payload.Encoder // of readings
	whole *whole          // of a part of a loss event: what it has in common with the others
	loss  []contract.Loss // and what it reports
}

func (l *lane) stageFirst(g *group) { l.staged = slices.Insert(l.staged, 0, g) }

func (l *lane) stageInOrder(g *group) { l.staged = insert(l.staged, g) }

// fill sends as long as the window has room and returns when to look again without being woken.
func (u *Uplink) fill(link Link, resting bool) time.Duration {
	u.sendDirty(link)
	retry := u.unroutedLosses.retry(u.now())
	for u.leaving.Load() != leaving && !resting {
		l := u.next(link)
		if l == nil {
			break
		}
		g := l.staged[0]
		l.staged[0] = nil
		l.staged = l.staged[1:]
		if p := u.pauses[g.topic]; p != nil && !p.probe(u.now()) {
			u.keep(p, g)
			continue
		} else if p != nil && p.alone && u.pieces(g) > 1 {
			u.keep(p, u.cut(g, 1))
		}
		if !u.send(g, link) {
			break // its outcome first: settle halves it, or buries it
		}
		for i := range u.lanes {
			if other := &u.lanes[i]; other != l && len(other.staged) > 0 && other.inFlight == 0 {
				other.passed++
			}
		}
		l.passed = 0
	}
	now := u.now()
	u.sendNewest(link, now)
	wait := retry
	for _, p := range u.pauses {
		if p.staged || p.probing || len(p.held) == 0 {
			continue // its outcome wakes Run, or what will go to the topic
		}
		wait = min(wait, max(p.until.Sub(u.now()), 0)+time.Millisecond)
	}
	if u.cfg.Clock.Pending() {
		wait = min(wait, clockPoll)
	}
	if d := u.drainAt.Sub(u.now()); d > 0 {
		wait = min(wait, d)
	}
	company := u.lanes[buffer.LiveLane].open.wait(u.now())
	if company == 0 && u.inFlight() > 0 || resting || u.leaving.Load() != staying {
		company = time.Hour // the window is in the way, and an outcome wakes Run; or nothing more is sent
	}
	return min(wait, u.newestDue(now), u.docsDue(), company)
}

// inFlight returns how many messages are unacknowledged.
func (u *Uplink) inFlight() int {
	n := u.docsInFlight()
	for i := range u.lanes {
		n += u.lanes[i].inFlight
	}
	return n
}

// slots returns how many more messages of a lane may go now; nil stands for retained documents. A
// slot of the window each is kept for events and for live readings while none of theirs is on its
// way: they would wait a round trip behind a window full of something else. If nothing is on its
// way, one message may always go.
func (u *Uplink) slots(link Link, l *lane) int {
	kept := 0
	for _, id := range []buffer.Lane{buffer.EventLane, buffer.LiveLane} {
		if other := &u.lanes[id]; other != l && other.inFlight == 0 {
			kept++
		}
	}
	return max(link.Window-kept, 1) - u.inFlight()
}

// passedMax is how often a lane that has nothing in flight may be passed over.
const passedMax = 4

// next chooses the lane that sends now: events first, then live, then the backlog, except that a
// lane which has nothing in flight and was passed over often enough goes before live, and live
// before events. It returns nil if the window has no room for any.
func (u *Uplink) next(link Link) *lane {
	events, live, backlog := &u.lanes[buffer.EventLane], &u.lanes[buffer.LiveLane], &u.lanes[buffer.BacklogLane]
	mayEvents := u.slots(link, events) > 0 && u.stage(events)
	leaves := u.leaving.Load() != staying
	switch {
	case mayEvents && (leaves || live.inFlight > 0): // what live has meanwhile gets company
		return events
	case leaves:
		return nil
	}
	share := max(link.Window-2, 1)
	mayLive := live.inFlight < share && live.bytes < flightBytes && u.slots(link, live) > 0 && u.stage(live)
	switch {
	case mayLive && live.inFlight == 0 && live.passed >= passedMax:
		return live
	case mayEvents:
		return events
	}
	mayBacklog := !u.now().Before(u.drainAt) && backlog.inFlight < share && (backlog.inFlight == 0 || backlog.bytes < u.pacer.budget) && u.slots(link, backlog) > 0 && u.stage(backlog)
	switch {
	case mayBacklog && (!mayLive || backlog.inFlight == 0 && backlog.passed >= passedMax):
		return backlog
	case mayLive:
		return live
	}
	return nil
}

// giveBack returns a group to the store. The parts of an event stay: others of them may be on their
// way.
func (u *Uplink) giveBack(g *group) {
	if g.whole != nil {
		g.lane.staged = append(g.lane.staged, g)
		return
	}
	u.cfg.Queue.Release(u.records(g))
}

// unstage gives everything that is not in flight back to the store.
func (u *Uplink) unstage() {
	u.release()
	for i := range u.lanes {
		l := &u.lanes[i]
		staged := append(l.staged, l.open.closeAll()...)
		l.staged = nil
		for _, g := range staged {
			u.giveBack(g)
		}
	}
	for _, p := range u.pauses { // they go on: the next connection must not begin with what ended the last one
		for _, g := range p.held {
			u.giveBack(g)
		}
		p.held, p.records, p.bytes, p.staged = nil, 0, 0, false
	}
}
