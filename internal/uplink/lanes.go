package uplink

import (
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	takeRecords = 1000        // taken from the store at once
	takeBytes   = 128 << 10   // and their bodies
	flightBytes = 256 << 10   // of a lane's payloads on their way, which stay in RAM; one message may be more
	docsShare   = 4           // newest readings (P/last) take at most this part of the window
	clockPoll   = time.Second // how often a boot without a time is looked at again
)

// lane is one of the store's queues on its way out.
type lane struct {
	id       buffer.Lane
	withheld map[string]bool // streams over which the store passes
	staged   []*group
	inFlight int // messages
	bytes    int // of their payloads
	passed   int // messages that other lanes sent while this one waited
}

// group is what becomes one PUBLISH: readings of one sensor and run, or one event.
type group struct {
	lane    *lane
	topic   string // that of a reply is known when it is rendered
	records []buffer.Record
	whole   *whole          // of a part of a loss event: what it has in common with the others
	loss    []contract.Loss // and what it reports
}

func (l *lane) stageFirst(g *group) { l.staged = slices.Insert(l.staged, 0, g) }

func (l *lane) stageInOrder(g *group) { l.staged = insert(l.staged, g) }

// fill sends as long as the window has room and returns when to look again without being woken.
func (u *Uplink) fill(link Link) time.Duration {
	u.sendDirty(link)
	retry := u.unroutedLosses.retry(u.now())
	for u.leaving.Load() != leaving {
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
	u.sendNewest(link)
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
	return min(wait, u.newestDue(), u.docsDue())
}

// next chooses the lane that sends now: events first, then live, then the backlog, except that a
// lane which has nothing in flight and was passed over often enough goes before live. It returns
// nil if the window has no room for any.
func (u *Uplink) next(link Link) *lane {
	events, live, backlog := &u.lanes[buffer.EventLane], &u.lanes[buffer.LiveLane], &u.lanes[buffer.BacklogLane]
	used := events.inFlight + live.inFlight + backlog.inFlight + u.docsInFlight()
	if used >= link.Window {
		return nil
	}
	if u.stage(events) {
		return events
	}
	if u.leaving.Load() != staying {
		return nil
	}
	if used > 0 && used >= link.Window-1 && link.Window > 1 { // the last slot is kept for events
		return nil
	}
	share := max(link.Window-2, 1)
	mayLive := live.inFlight < share && live.bytes < flightBytes && u.stage(live)
	mayBacklog := backlog.inFlight < share && (backlog.inFlight == 0 || backlog.bytes < u.pacer.budget) && u.stage(backlog)
	switch {
	case mayBacklog && (!mayLive || backlog.inFlight == 0 && backlog.passed >= 4):
		return backlog
	case mayLive:
		return live
	}
	return nil
}

// stage makes sure that the lane has a group to send and reports whether it has.
func (u *Uplink) stage(l *lane) bool {
	if len(l.staged) > 0 {
		return true
	}
	if l.id != buffer.EventLane {
		if u.cfg.Clock.Pending() {
			return false
		}
		u.withhold(l)
	}
	limit := takeBytes
	if l.id == buffer.BacklogLane {
		limit = min(limit, max(u.pacer.budget, 1<<10))
	}
	records := u.cfg.Queue.Take(l.id, takeRecords, limit)
	l.staged = u.groups(l, records)
	return len(l.staged) > 0
}

// groups sorts records into messages: the readings of a sensor and run together, in the order of
// their first ones.
func (u *Uplink) groups(l *lane, records []buffer.Record) []*group {
	batch := u.cfg.BatchMax
	if n := u.cfg.Encoder.BatchMax(); n > 0 {
		batch = min(batch, n)
	}
	type key struct{ stream, run string }
	left := map[key]int{}
	for i := range records {
		left[key{records[i].Stream, records[i].Run}]++
	}
	var groups []*group
	open := map[key]*group{}
	for _, r := range records {
		if r.Kind == buffer.Events {
			groups = append(groups, &group{lane: l, topic: u.eventTopic(&r), records: []buffer.Record{r}})
			continue
		}
		k := key{r.Stream, r.Run}
		g := open[k]
		if g == nil || len(g.records) >= batch {
			topic := u.cfg.Topics.Telemetry(r.Stream)
			if l.id == buffer.BacklogLane {
				topic = u.cfg.Topics.Late(r.Stream)
			}
			n := min(left[k], batch)
			left[k] -= n
			g = &group{lane: l, topic: topic, records: make([]buffer.Record, 0, n)}
			open[k] = g
			groups = append(groups, g)
		}
		g.records = append(g.records, r)
	}
	return groups
}

// eventTopic returns where an event goes; "" for a reply, and for what cannot be read.
func (u *Uplink) eventTopic(r *buffer.Record) string {
	if r.Stream == event.Replies {
		return ""
	}
	kind, _, err := event.Decode(r.Body)
	if err != nil {
		return ""
	}
	return u.cfg.Topics.Event(kind)
}

// giveBack returns a group to the store. The parts of an event stay: others of them may be on their
// way.
func (u *Uplink) giveBack(g *group) {
	if g.whole != nil {
		g.lane.staged = append(g.lane.staged, g)
		return
	}
	u.cfg.Queue.Release(g.records)
}

// unstage gives everything that is not in flight back to the store.
func (u *Uplink) unstage() {
	u.release()
	for i := range u.lanes {
		l := &u.lanes[i]
		staged := l.staged
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
