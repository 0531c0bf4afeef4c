package uplink

import (
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

// Reason codes of PUBACK, MQTT 5.0 table 2-6.
const (
	codeNoSubscribers  = 0x10
	codeRefused        = 0x80 // and above
	codeTopicInvalid   = 0x90
	codePayloadInvalid = 0x99
)

const (
	pauseMin = 5 * time.Second
	pauseMax = 10 * time.Minute
)

// pause holds back what goes to a topic that the broker refuses.
type pause struct {
	until   time.Time
	delay   time.Duration
	staged  bool // one group is staged to find out
	probing bool // and is on its way
	held    []*group
	records int
}

// probe tells whether a message may try the topic now.
func (p *pause) probe(now time.Time) bool {
	if p.probing || now.Before(p.until) {
		return false
	}
	p.staged, p.probing = false, true
	return true
}

// pause keeps a refused group and its topic back.
func (u *Uplink) pause(g *group, code byte) {
	p := u.pauses[g.topic]
	if p == nil {
		p = &pause{delay: pauseMin}
		u.pauses[g.topic] = p
		u.counts.paused.Add(1)
		u.Alarm(contract.AlarmEvent{Alarm: "refused", State: "raised", Topic: g.topic,
			Detail: fmt.Sprintf("the broker answers 0x%02x to %s: %s; nothing is dropped, one message is tried again from time to time", code, g.topic, remedy(code))})
	} else if p.probing {
		p.delay = min(2*p.delay, pauseMax)
	}
	p.probing = false
	p.until = u.now().Add(p.delay)
	p.held = insert(p.held, g)
	p.records += len(g.records)
	u.held += len(g.records)
}

func remedy(code byte) string {
	switch code {
	case codeNoSubscribers:
		return "nobody has subscribed, and telemetry.unrouted is hold"
	case 0x97:
		return "its quota is exceeded"
	}
	return "check its access list"
}

// reply tells whether a group is the reply to a command. Its topic is the asker's, so a refusal is final.
func (g *group) reply() bool {
	return g.records[0].Lane == buffer.Events && g.records[0].Stream == event.Replies
}

// insert puts a group that came back before the later ones of its topic: several were on their way, and come back one by one.
func insert(groups []*group, g *group) []*group {
	i := slices.IndexFunc(groups, func(o *group) bool {
		a, b := &o.records[0], &g.records[0]
		return o.topic == g.topic && a.Pos > b.Pos
	})
	if i < 0 {
		i = len(groups)
	}
	return slices.Insert(groups, i, g)
}

// hold keeps a group back behind those that were refused.
func (u *Uplink) hold(p *pause, g *group) {
	p.held = append(p.held, g)
	p.records += len(g.records)
	u.held += len(g.records)
}

// resume stages the first held group of every pause that is over, as a probe.
func (u *Uplink) resume() {
	now := u.now()
	for _, p := range u.pauses {
		if p.staged || p.probing || now.Before(p.until) || len(p.held) == 0 {
			continue
		}
		g := p.held[0]
		p.staged = true
		p.held = p.held[1:]
		p.records -= len(g.records)
		u.held -= len(g.records)
		g.lane.staged = append([]*group{g}, g.lane.staged...)
	}
}

// undecided lets another message try a topic after one that ended without the broker's verdict on the topic.
func (u *Uplink) undecided(topic string) {
	if p := u.pauses[topic]; p != nil {
		p.probing = false
	}
}

// passed ends the pause of a topic to which a message was delivered.
func (u *Uplink) passed(topic string) {
	p := u.pauses[topic]
	if p == nil || !p.probing {
		return
	}
	delete(u.pauses, topic)
	u.counts.paused.Add(-1)
	u.held -= p.records
	for i := len(p.held) - 1; i >= 0; i-- {
		g := p.held[i]
		g.lane.staged = append([]*group{g}, g.lane.staged...)
	}
	u.Alarm(contract.AlarmEvent{Alarm: "refused", State: "cleared", Topic: topic, Detail: "the broker accepts " + topic + " again"})
}
