package uplink

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	pauseMin  = 5 * time.Second
	pauseMax  = 10 * time.Minute
	poisonMin = time.Minute // a probe of a topic at which the broker closes costs two connections
	poisonMax = time.Hour
)

// culpritsMax is how many messages in a row a topic may lose as dead letters. What refuses more is
// the topic.
const culpritsMax = 3

// pause holds back what goes to a topic that the broker refuses.
type pause struct {
	lane    *lane
	stream  string          // of readings: all of the lane's go to the topic, or
	undated map[string]bool // only those of these boots of the kernel, which have no time; nil: all
	until   time.Time
	delay   time.Duration
	staged  bool // one group is staged to find out
	probing bool // and is on its way
	alone   bool // a probe is one reading
	newest  bool // the next probe is the newest reading, not the oldest, which may be a culprit
	swap    bool // oldest and newest take turns
	reach   int  // how far ahead the newest is looked for, in probeRecords
	size    int  // of the message at which the broker closed; 0: that is not the question
	held    []*group
	records int
	bytes   int    // of their bodies
	from    uint64 // position of the first reading that the store keeps meanwhile; 0: it keeps none
}

// probe reports whether a message may try the topic now.
func (p *pause) probe(now time.Time) bool {
	if p.probing || now.Before(p.until) {
		return false
	}
	p.staged, p.probing = false, true
	return true
}

// takeProbe removes the group to probe with: if that is a matter of one reading alone, only that.
func (u *Uplink) takeProbe(p *pause) *group {
	i := 0
	if p.newest {
		i = len(p.held) - 1
		p.reach = min(2*p.reach, reachMax)
	}
	g := p.held[i]
	p.count(g, -1)
	n := u.pieces(g)
	if !p.alone || n == 1 {
		p.held = slices.Delete(p.held, i, i+1)
		return g
	}
	var rest *group
	if p.newest {
		g, rest = u.cut(g, n-1), g
	} else {
		rest = u.cut(g, 1)
	}
	p.held[i] = rest
	p.count(rest, +1)
	return g
}

// refuse pauses the topic of a group because of what the broker says, or keeps on pausing it.
func (u *Uplink) refuse(g *group, why string) *pause {
	return u.pause(g, why, pauseMin, pauseMax)
}

func (u *Uplink) pause(g *group, why string, shortest, longest time.Duration) *pause {
	p := u.pauseOf(g)
	switch {
	case p.delay == 0:
		p.delay = shortest
	case p.probing:
		p.delay = min(2*p.delay, longest)
	}
	p.probing, p.size = false, 0
	p.until = u.now().Add(p.delay)
	u.keep(p, g)
	if u.isLoss(g) {
		u.cfg.Queue.HoldLosses(true) // what else is to be reported accumulates meanwhile
	}
	u.sizes.suspected, u.sizes.search = 0, search{}
	u.raise(g.topic, why)
	return p
}

func (u *Uplink) pauseOf(g *group) *pause {
	p := u.pauses[g.topic]
	if p == nil {
		p = &pause{lane: g.lane, stream: g.first().Stream, reach: 1}
		if p.lane.id != buffer.EventLane && g.topic == u.cfg.Topics.Undated(p.stream) {
			p.undated = map[string]bool{}
		}
		u.pauses[g.topic] = p
	}
	return p
}

// suspectSize pauses the topic of a batch at which the broker closed, until one reading alone has
// shown whether it was the size.
func (u *Uplink) suspectSize(g *group, size int) {
	p := u.pauseOf(g)
	p.probing, p.alone, p.size = false, true, size
	u.keep(p, g)
	u.sizes.suspect(size, u.now())
	u.cfg.Log.Warn("the broker closed the connection at a message: one reading alone shows whether its size was the reason", "topic", g.topic, "bytes", size,
		"tries", u.sizes.search.tries, "remedy", searchRemedy)
}

// count keeps account of what a pause holds.
func (p *pause) count(g *group, sign int) {
	n, bytes := len(g.pins), 0
	for _, pin := range g.pins {
		bytes += pin.Len()
	}
	p.records += sign * n
	p.bytes += sign * bytes
}

// reply reports whether a group is the reply to a command. Its topic is the asker's, so a refusal
// is final.
func (g *group) reply() bool {
	r := g.first()
	return r.Kind == buffer.Events && r.Stream == event.Replies
}

// ledger reports whether a group is an event without which nothing can be proven: it is held, and
// never becomes a dead letter.
func (u *Uplink) ledger(g *group) bool {
	if g.lane.id != buffer.EventLane || g.reply() {
		return false
	}
	for _, kind := range []string{contract.EventBoot, contract.EventLoss, contract.EventClock, contract.EventStore} {
		if g.topic == u.cfg.Topics.Event(kind) {
			return true
		}
	}
	return false
}

// insert puts a group that came back before the later ones of its topic: several were on their way,
// and come back one by one.
func insert(groups []*group, g *group) []*group {
	i := slices.IndexFunc(groups, func(o *group) bool {
		return o.topic == g.topic && o.first().Pos > g.first().Pos
	})
	if i < 0 {
		i = len(groups)
	}
	return slices.Insert(groups, i, g)
}

// resume stages a held group of every pause that is over, as a probe.
func (u *Uplink) resume() {
	now := u.now()
	for _, p := range u.pauses {
		if p.staged || p.probing || now.Before(p.until) || len(p.held) == 0 {
			continue
		}
		g := u.takeProbe(p)
		p.staged, p.newest = true, p.swap && !p.newest
		g.lane.stageFirst(g)
	}
}

// undecided lets another message try a topic after one that ended without the broker's verdict on
// the topic.
func (u *Uplink) undecided(topic string) {
	if p := u.pauses[topic]; p != nil {
		p.probing = false
	}
}

// passed ends the pause of a topic to which a message was delivered.
func (u *Uplink) passed(topic string) {
	delete(u.culprits, topic)
	p := u.pauses[topic]
	if p == nil || !p.probing {
		return
	}
	delete(u.pauses, topic)
	if p.size > 0 {
		u.sizes.failed(p.size, u.now())
	}
	for i := len(p.held) - 1; i >= 0; i-- {
		p.held[i].lane.stageFirst(p.held[i])
	}
	u.clear(topic)
}

// A Refusal is a topic that the broker does not take, and why, in a sentence that names it.
type Refusal struct{ Topic, Why string }

// raise notes that a topic is refused and reports it, the first time as an alarm.
func (u *Uplink) raise(topic, why string) {
	u.mu.Lock()
	_, known := u.refusals[topic]
	u.refusals[topic] = why
	u.mu.Unlock()
	if known {
		return
	}
	u.cfg.Log.Warn("the broker refuses a topic", "topic", topic, "reason", why)
	u.cfg.Alarm(contract.AlarmEvent{Alarm: "refused", State: "raised", Topic: topic,
		Detail: why + "; nothing is dropped, one message is tried again from time to time"})
}

// clear notes that topics are accepted again.
func (u *Uplink) clear(topics ...string) {
	for _, topic := range topics {
		u.mu.Lock()
		_, known := u.refusals[topic]
		delete(u.refusals, topic)
		u.mu.Unlock()
		if !known {
			continue
		}
		u.cfg.Log.Info("the broker accepts a topic again", "topic", topic)
		u.cfg.Alarm(contract.AlarmEvent{Alarm: "refused", State: "cleared", Topic: topic, Detail: "the broker accepts " + topic + " again"})
	}
}

// Refusals returns the topics that the broker refuses now: those of readings first, then by name.
func (u *Uplink) Refusals() []Refusal {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]Refusal, 0, len(u.refusals))
	for topic, why := range u.refusals {
		list = append(list, Refusal{topic, why})
	}
	slices.SortFunc(list, func(a, b Refusal) int {
		if x := strings.HasPrefix(a.Topic, u.cfg.Topics.Telemetry("")); x != strings.HasPrefix(b.Topic, u.cfg.Topics.Telemetry("")) {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Topic, b.Topic)
	})
	return list
}
