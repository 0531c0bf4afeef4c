package uplink

import (
	"cmp"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	takeRecords = 1000      // taken from the store at once
	takeBytes   = 128 << 10 // and their bodies
	// openMax is how many readings of a lane may wait for company. A message of each of 100 sensors
	// that take turns has 60 readings then: measured, that is 18,000 readings a second at a round
	// trip of 100 ms and 20 messages in flight.
	openMax = 6000
	// typicalReading is taken for the bytes of a reading until a message of its sensor was
	// rendered.
	typicalReading = 110.0
)

// An assembly is the groups of a lane that are not full: readings of one sensor come from as many
// segments of the store as it takes.
type assembly struct {
	groups  []*group // in the order of their first readings
	of      map[origin]*group
	records int
}

// An origin is what the readings of a message have in common.
type origin struct{ stream, run string }

func originOf(g *group) origin { r := g.first(); return origin{r.Stream, r.Run} }

// close takes a group out.
func (a *assembly) close(g *group) *group {
	i := slices.Index(a.groups, g)
	a.groups = slices.Delete(a.groups, i, i+1)
	delete(a.of, originOf(g))
	a.records -= len(g.pins)
	return g
}

// closeAll takes all groups out.
func (a *assembly) closeAll() []*group {
	groups := a.groups
	*a = assembly{}
	return groups
}

// closeIf takes the groups out for which that is so.
func (a *assembly) closeIf(is func(*group) bool) (out []*group) {
	a.groups = slices.DeleteFunc(a.groups, func(g *group) bool {
		if !is(g) {
			return false
		}
		delete(a.of, originOf(g))
		a.records -= len(g.pins)
		out = append(out, g)
		return true
	})
	return out
}

// largest returns the group with the most readings.
func (a *assembly) largest() *group {
	return slices.MaxFunc(a.groups, func(g, h *group) int { return len(g.pins) - len(h.pins) })
}

// wait returns how long the first group still waits for company.
func (a *assembly) wait(now time.Time) time.Duration {
	wait := time.Hour
	for _, g := range a.groups {
		wait = min(wait, max(g.due.Sub(now), 0))
	}
	return wait
}

// first returns the first record of a group.
func (g *group) first() buffer.Record { return g.pins[0].Record() }

// records returns the records of a group, valid until the next call.
func (u *Uplink) records(g *group) []buffer.Record {
	u.recs = u.recs[:0]
	for _, pin := range g.pins {
		u.recs = append(u.recs, pin.Record())
	}
	return u.recs
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
	for l.open.records < openMax {
		u.taken = u.cfg.Queue.TakePins(u.taken, l.id, takeRecords, takeBytes)
		u.assemble(l, u.taken)
		if len(l.staged) > 0 {
			return true
		}
		if len(u.taken) > 0 {
			continue
		}
		if l.id == buffer.BacklogLane {
			l.staged = l.open.closeAll()
		} else {
			now := u.now()
			l.staged = l.open.closeIf(func(g *group) bool { return !now.Before(g.due) })
			if u.refresh(l, now) {
				continue
			}
		}
		return len(l.staged) > 0
	}
	l.staged = append(l.staged, l.open.close(l.open.largest()))
	return true
}

// overdueMax is how much longer than its sensor's linger a message may wait for room before its
// readings may have expired.
const overdueMax = time.Second

// refresh gives what waited for room back to the store, which removes what is older than its ttl,
// and reports whether there was any. The rest is taken again, and does not wait for company.
func (u *Uplink) refresh(l *lane, now time.Time) bool {
	if !slices.ContainsFunc(l.staged, func(g *group) bool { return now.Sub(g.due) > overdueMax }) {
		return false
	}
	for _, g := range l.staged {
		l.overdue = max(l.overdue, g.pins[len(g.pins)-1].Record().Pos)
		u.cfg.Queue.Release(u.records(g))
	}
	l.staged = nil
	return true
}

// assemble sorts what was taken into messages: the readings of a sensor and run together. What is
// full, or an event, is staged; before readings of a lower priority all of a higher one are.
func (u *Uplink) assemble(l *lane, pins []buffer.Pin) {
	now := u.now()
	for _, pin := range pins {
		r := pin.Record()
		if r.Kind == buffer.Events {
			l.staged = append(l.staged, &group{lane: l, topic: u.eventTopic(&r), pins: []buffer.Pin{pin}})
			continue
		}
		g := l.open.of[origin{r.Stream, r.Run}]
		if g == nil {
			if n := len(l.open.groups); l.id == buffer.BacklogLane && n > 0 && l.open.groups[n-1].first().Priority > r.Priority {
				l.staged = append(l.staged, l.open.closeAll()...)
			}
			g = u.open(l, &r, now)
		}
		g.pins = append(g.pins, pin)
		l.open.records++
		if len(g.pins) >= g.max {
			l.staged = append(l.staged, l.open.close(g))
		}
	}
}

// open adds an empty group for readings as r to a lane.
func (u *Uplink) open(l *lane, r *buffer.Record, now time.Time) *group {
	g := &group{lane: l, topic: u.cfg.Topics.Telemetry(r.Stream), form: u.cfg.Encoder, due: now}
	if u.undated(r) {
		g.topic, g.form = u.cfg.Topics.Undated(r.Stream), u.cfg.JSON
	} else if l.id == buffer.BacklogLane {
		g.topic = u.cfg.Topics.Late(r.Stream)
	} else if u.cfg.Linger != nil && r.Pos > l.overdue {
		g.due = now.Add(u.cfg.Linger(r.Stream))
	}
	g.max = u.batchMax(g, r.Stream)
	if l.open.of == nil {
		l.open.of = map[origin]*group{}
	}
	l.open.of[origin{r.Stream, r.Run}] = g
	l.open.groups = append(l.open.groups, g)
	return g
}

// undated reports whether a reading has no time and the format needs one. Those of the running
// kernel wait for it (Clock.Pending); the time of an earlier one was never learned and cannot be
// any more.
func (u *Uplink) undated(r *buffer.Record) bool {
	if !u.cfg.Encoder.NeedsTime() {
		return false
	}
	_, known := u.cfg.Clock.Time(r.Kernel, r.Up)
	return !known
}

// batchMax returns how many readings of a sensor go into a message: as many as the format and the
// configuration allow, and as fit by what the last message of the sensor was like.
func (u *Uplink) batchMax(g *group, sensor string) int {
	n := u.cfg.BatchMax
	if m := g.form.BatchMax(); m > 0 {
		n = min(n, m)
	}
	if room := u.laneRoom(g.lane, u.current); room > 0 {
		each := cmp.Or(u.weights[sensor], typicalReading)
		n = max(min(n, int(float64(room)/each)), 1)
	}
	return n
}

// weigh notes how large a message of a sensor's readings became.
func (u *Uplink) weigh(g *group, m *Message) {
	if g.lane.id != buffer.EventLane {
		u.weights[g.first().Stream] = float64(m.size()) / float64(len(g.pins))
	}
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
